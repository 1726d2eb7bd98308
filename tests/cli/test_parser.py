"""The help of every command and verb: texts, defaults, examples, and where to read on."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from t5mix.cli.arguments import CommandParser
from t5mix.cli.generation_options import finite_number
from t5mix.cli.parser import build_parser
from t5mix.config.config_files import named_configs

ROOT = Path(__file__).parents[2]


def parsers(parser: CommandParser) -> Iterator[CommandParser]:
    """Yields the parsers of the commands and of their verbs."""
    for command in parser.commands().values():
        yield command
        yield from parsers(command)


EVERY = {parser.prog: parser for parser in parsers(build_parser())}


COUNTS = [
    (parser, action.option_strings[0])
    for parser in EVERY.values()
    for action in parser.arguments()
    if action.option_strings and action.type not in (None, finite_number)
]
"""The options that are whole numbers, of every command."""


@pytest.mark.parametrize(("parser", "option"), COUNTS, ids=[f"{parser.prog} {option}" for parser, option in COUNTS])
@pytest.mark.parametrize("value", ["-1", "2.5", "1e3", "nan", "inf", "many", "", "99999999999999999999"])
def test_numbers_that_an_option_cannot_take_are_refused(
    parser: CommandParser, option: str, value: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args([f"{option}={value}"])
    reason = {"-1": "-1 is not ", "99999999999999999999": "99,999,999,999,999,999,999 is too large: the most is "}
    assert f"argument {option}: {reason.get(value, f'{value!r} is not a whole number')}" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--temperature", "--top-p", "--length-penalty"])
@pytest.mark.parametrize("value", ["nan", "inf", "many", ""])
def test_values_that_are_no_numbers_are_refused(option: str, value: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        EVERY["t5mix predict"].parse_args(["run", f"{option}={value}"])
    assert f"argument {option}: {value!r} is not a number" in capsys.readouterr().err


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("parser", EVERY.values(), ids=EVERY)
def test_each_argument_has_a_text_and_each_option_its_default(parser: CommandParser):
    for action in parser.arguments():
        assert action.help, action.dest
        is_value = action.option_strings and action.nargs != 0 and not action.required
        assert not is_value or re.search(r"default: |only a bank needs one", action.help), action.dest


@pytest.mark.parametrize("parser", EVERY.values(), ids=EVERY)
def test_help_ends_with_examples_of_the_command_and_a_page_that_exists(parser: CommandParser):
    *_, examples, page = parser.format_help().rstrip().split("\n\n")
    path, _, anchor = page.removeprefix("Read on: ").partition("#")
    assert not anchor or anchor in anchors(ROOT / path)
    assert (ROOT / path).is_file()
    heading, *lines = examples.splitlines()
    assert lines
    assert heading.startswith("example")
    for line in lines:
        words = shlex.split(line.rpartition("| ")[2])
        options, rest = build_parser().parse_known_args(words[1:])
        assert parser.prog.startswith(" ".join(words[:2]))
        assert not [word for word in rest if word.startswith("-")]
        assert options.parser.prog.startswith(parser.prog)


def test_the_help_of_train_names_the_packages_configurations():
    text = " ".join(EVERY["t5mix train"].format_help().split())
    for name in named_configs():
        assert name in text
    assert "(demo, demo_pretrain, quickstart, quickstart_pretrain)" in text
    assert "(table10, table11, table12)" in EVERY["t5mix sweep"].format_help()


@pytest.mark.parametrize("columns", ["10", "40", "200"])
def test_there_is_help_in_any_terminal(columns: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", columns)
    for parser in (build_parser(), *EVERY.values()):
        assert parser.format_help().startswith(f"usage: {parser.prog}")


def test_defaults_in_the_help_are_the_parsers():
    for parser in EVERY.values():
        for action in parser.arguments():
            told = re.search(r"default: (%\(default\)s)?", action.help or "")
            if action.option_strings and action.nargs != 0 and isinstance(action.default, str | int):
                assert action.default is argparse.SUPPRESS or (told and told[1]), (parser.prog, action.dest)
