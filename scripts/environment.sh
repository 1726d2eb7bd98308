# Sourced by the other scripts: makes .venv in the project folder, or brings it up to date, and activates it.
#   install_environment EXTRAS     EXTRAS such as "" or "[test,dev]"
# Set PYTHON to choose an interpreter; it must be 3.11 to 3.13.

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "t5mix needs Python 3.11, 3.12 or 3.13; set PYTHON to one." >&2
    return 1
}

install_environment() {
    local extras=$1 python stamp fingerprint
    stamp=.venv/installed
    fingerprint="$(cat setup.py t5mix/__init__.py | cksum) $extras $(pwd)"
    if [ -f "$stamp" ] && grep -qxF "$fingerprint" "$stamp"; then
        . .venv/bin/activate
        return
    fi
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python)
        echo "Making .venv with $("$python" --version)"
        "$python" -m venv .venv
    fi
    . .venv/bin/activate
    echo "Installing t5mix$extras into .venv (a minute or two the first time)"
    python -m pip install --quiet --disable-pip-version-check --editable ".$extras" 2>.venv/install.log ||
        { cat .venv/install.log >&2; return 1; }
    echo "$fingerprint" >>"$stamp"
}
