#!/usr/bin/env bash
# Lint, types and tests. Makes and reuses .venv in the project folder; arguments go to pytest.
#   scripts/test.sh                     everything but the slow tests
#   scripts/test.sh --slow -k resume    whatever pytest understands
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
install_environment "[test,dev]"
unset PYTHONDONTWRITEBYTECODE # many tests start a Python process: none should compile again what another has

ruff check .
ruff format --check .
pyright
exec python -m pytest --numprocesses 2 --dist loadfile "$@"
