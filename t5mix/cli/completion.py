"""Completion in a shell: a script that knows the commands, their options, the names that these take, and settings.

The script holds all of it as text, made from the parser. So a key press starts no Python.
"""

from collections.abc import Iterator

from t5mix.cli.arguments import CommandParser
from t5mix.cli.setting_keys import GROUPS, SETTING_KEYS
from t5mix.yaml_files import packaged_yaml

SHELLS = ("bash", "zsh")
_SCRIPT = """\
# Completion of t5mix, made by `t5mix --completion {shell}`.
{prelude}_t5mix() {{
    local word command= names= files=yes before= value= settings='{settings}' IFS=$'\\n'
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    if [[ $current == = ]]; then current= value=yes; fi  # to bash, run_dir=runs is three words
    if [[ $previous == = ]]; then previous=${{COMP_WORDS[COMP_CWORD-2]}} value=yes; fi
    if [[ $current == *=* ]]; then
        before=${{current%%=*}}= previous=${{current%%=*}} current=${{current#*=}} value=yes
    fi
    for word in "${{COMP_WORDS[@]:1:$((COMP_CWORD-1))}}"; do
        case "$command $word" in
{verbs}
        esac
    done
    case "$command" in
{words}
    esac
    if [[ $value && $previous != -* ]]; then names=; fi
    case "$command $previous" in
{values}
    esac
    COMPREPLY=($(
        compgen -P "$before" -W "${{names// /$IFS}}" -- "$current"
        if [[ $files ]]; then compgen -P "$before" -f -- "$current"; fi
    ))
    if [[ $COMPREPLY == *= ]]; then compopt -o nospace 2>/dev/null; fi  # the value follows at once
}}
complete -o filenames -F _t5mix t5mix
"""


def completion_script(parser: CommandParser, shell: str) -> str:
    """Returns a script that a shell reads to complete the commands of `parser`, their options, names and files.

    Args:
        parser: of all commands.
        shell: one of `SHELLS`.
    """
    configurations, sweeps = packaged_yaml("t5mix.config", "experiments"), packaged_yaml("t5mix.sweep", "presets")
    verbs, words, values = [], [], []
    for chain, command in _chains("", parser):
        names = [*command.commands(), *(name for action in command.arguments() for name in action.option_strings)]
        names += sweeps if any(action.dest == "sweep" for action in command.arguments()) else []
        arguments = {action.dest for action in command.arguments()}
        takes_settings = "overrides" in arguments and arguments & {"config", "sweep"}  # all of them, that is
        settings = '" $settings"' if takes_settings else ""
        words.append(f"        '{chain}') names='{' '.join(names)}'{settings}{'' if chain else ' files='} ;;")
        for group, options in GROUPS.items() if takes_settings else ():
            values.append(f"        '{chain} {group}') names='{' '.join(options)}' files= ;;")
        for name in command.commands():
            verbs.append(f"            '{chain} {name}') command='{chain} {name}' ;;")
        if assumed := command.assumed_verb():
            verbs.append(f"            '{chain} '[!-]*) command='{chain} {assumed}' ;;")
        for action in command.arguments():
            choices, files = (configurations, "") if action.dest == "config" else (action.choices or (), " files=")
            for option in action.option_strings if choices else ():
                values.append(f"        '{chain} {option}') names='{' '.join(choices)}'{files} ;;")
    prelude = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    lists = {"verbs": verbs, "words": words, "values": values}
    keys = " ".join(f"{key}=" for key in SETTING_KEYS)
    return _SCRIPT.format(
        shell=shell, prelude=prelude, settings=keys, **{name: "\n".join(lines) for name, lines in lists.items()}
    )


def _chains(chain: str, parser: CommandParser) -> Iterator[tuple[str, CommandParser]]:
    """Yields the parsers with the words that lead to them: "", " train", " tasks", " tasks show"."""
    yield chain, parser
    for name, command in parser.commands().items():
        yield from _chains(f"{chain} {name}", command)
