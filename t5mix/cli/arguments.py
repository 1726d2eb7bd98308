"""How a command line is read. A misspelt one is told the nearest name, and the usage of its command."""

import argparse
import re
from collections.abc import Sequence
from typing import Any

from t5mix.errors import UnknownNameError, nearest
from t5mix.yaml_files import is_yaml, packaged_yaml

_TORN = re.compile(r"([\w.]+)(?: = | =|= | )([^\s=]+)(?= |$)")  # a setting with a blank in place of, or around, its "="


class CommandParser(argparse.ArgumentParser):
    """The parser of a command or of one of its verbs, which it leaves in `parser`: it has the usage to show."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, **options})
        self.register("action", "parsers", _Commands)
        self.set_defaults(parser=self)

    def commands(self) -> dict[str, "CommandParser"]:
        """Returns the commands, or a command's verbs, by name."""
        groups = [action for action in self._actions if isinstance(action, _Commands)]
        return {name: parser for group in groups for name, parser in group.choices.items()}

    def arguments(self) -> list[argparse.Action]:
        """Returns the options, and the arguments that have no name, without the commands."""
        return [action for action in self._actions if not isinstance(action, _Commands)]

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, _Commands):
            return  # it reads one word more
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, str(UnknownNameError("value", value, action.choices)))


class _Commands(argparse._SubParsersAction):
    """The commands, or a command's verbs. A verb that is the only one need not be written: `t5mix tasks NAME`."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        name, *rest = values
        if name not in self.choices:
            followed = bool(rest) and rest[0][0] not in "-~" and "=" not in rest[0]  # by the name that a verb takes
            if len(self.choices) > 1 or (followed and nearest(name, self.choices)):
                hint = f"`{parser.prog} --help` lists them."
                raise argparse.ArgumentError(None, str(UnknownNameError("command", name, self.choices, hint)))
            values = [*self.choices, *values]
        super().__call__(parser, namespace, values, option_string)


def read_command_line(parser: CommandParser, words: Sequence[str]) -> argparse.Namespace:
    """Reads the words of a command line; ends the process with 2 and the usage where one of them is wrong.

    Overrides may stand before options, after them, or on both sides. `help` and `version` may be written as commands.

    Returns:
        The command's options; `parser` is that of the command, and `module`, where a command was given, runs it.
    """
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    elif list(words) == ["version"]:
        words = ["--version"]
    options, rest = parser.parse_known_args(words)
    for word in rest:
        if word.startswith("-"):
            options.parser.error(_unknown_option(word.partition("=")[0], options.parser))
    if rest and not hasattr(options, "overrides"):
        options.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    overrides = getattr(options, "overrides", [])
    torn = _torn_setting(overrides) or ("config" in options and _bare_configuration(overrides))
    if message := torn or _plugins_of_the_list(options):
        options.parser.error(message)
    return options


def _unknown_option(word: str, parser: CommandParser) -> str:
    names = {name.lstrip("-"): name for action in parser.arguments() for name in action.option_strings}
    near = [names[name] for name in nearest(word.lstrip("-"), names)]
    return f"Unknown option {word!r}. " + (
        f"Did you mean {' or '.join(near)}?" if near else f"`{parser.prog} --help` lists them."
    )


def _torn_setting(overrides: Sequence[str]) -> str | None:
    """Returns what to write in place of a setting that blanks tear apart: `training.steps 5`, `seed = 1`."""
    for start in range(len(overrides) - 1):
        if torn := _TORN.match(" ".join(overrides[start : start + 3])):
            return f"{torn[0]!r} is no setting: write {torn[1]}={torn[2]}."
    return None


def _bare_configuration(overrides: Sequence[str]) -> str | None:
    """Returns what to write in place of a configuration without its option: `t5mix train demo`."""
    names = packaged_yaml("t5mix.config", "experiments")
    for word in overrides:
        if word in names or ("=" not in word and is_yaml(word)):
            return f"{word!r} is no setting: write --config {word}."
    return None


def _plugins_of_the_list(options: argparse.Namespace) -> str | None:
    """Returns what to write in place of `t5mix tasks --plugins mine show NAME`: the list's option before the verb."""
    plugins = getattr(options, "plugins", [])
    words, name = plugins, getattr(options, "show", None)
    if "show" in plugins:  # --plugins took all words that follow
        words, name = plugins[: plugins.index("show")], " ".join(plugins[plugins.index("show") + 1 :])
    if not plugins or name is None:
        return None
    command = options.parser.prog.removesuffix(" show")
    return f"--plugins is for the list. To show one, write: {command} show {name} 'plugins=[{','.join(words)}]'"
