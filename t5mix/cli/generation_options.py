"""The options of commands that decode, by the names of `GenerationConfig`; that is not imported before it is used."""

import argparse
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from t5mix.decoding import GenerationConfig

_OPTIONS: dict[str, tuple[Any, str, str]] = {
    "num_beams": (int, "N", "beam search with so many beams; default: 1, the most probable token at each step"),
    "num_return_sequences": (int, "N", "answers to each input, with --json: beams or samples; default: 1"),
    "do_sample": (bool, "", "draw tokens at random; default: take the most probable"),
    "temperature": (float, "T", "of samples: what logits are divided by; default: 1"),
    "top_k": (int, "K", "of samples: draw among the K most probable tokens; default: 0, all"),
    "top_p": (float, "P", "of samples: draw among the fewest tokens with this probability; default: 1, all"),
    "min_p": (float, "P", "of samples: draw among tokens P times as probable as the best; default: 0, all"),
    "seed": (int, "N", "of samples; default: 0"),
    "min_new_tokens": (int, "N", "fewest tokens of an answer; default: 0"),
    "repetition_penalty": (float, "X", "above 1, tokens that an answer has become less probable; default: 1"),
    "no_repeat_ngram_size": (int, "N", "no N tokens in a row twice in an answer; default: 0, any"),
    "length_penalty": (float, "X", "of beams: the larger, the longer the answers; default: 1"),
    "early_stopping": (("false", "true", "never"), "WHEN", "of beams: false, true or never; default: false"),
    "beam_rules": (("huggingface", "t5x"), "WHOSE", "of beams: huggingface or t5x; default: huggingface"),
}
"""Type or choices, the value's name, and the help of each."""


def add_generation_options(command: argparse.ArgumentParser, number: Callable[[str], int]) -> None:
    """Adds the options to a command.

    Args:
        command: the command.
        number: reads a whole number that is not negative.
    """
    group = command.add_argument_group("decoding")
    for name, (kind, value_name, text) in _OPTIONS.items():
        flag = f"--{name.replace('_', '-')}"
        if kind is bool:
            group.add_argument(flag, action="store_true", default=None, help=text)
        elif isinstance(kind, tuple):
            group.add_argument(flag, choices=kind, metavar=value_name, help=text)
        else:
            group.add_argument(flag, type=number if kind is int else finite_number, metavar=value_name, help=text)


def finite_number(text: str) -> float:
    """Reads an option that is a number, whole or not."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def given_generation(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings that were given on the command line, as plain data by their names."""
    given = {name: getattr(options, name) for name in _OPTIONS if getattr(options, name) is not None}
    stopping = given.get("early_stopping")
    return given if stopping in (None, "never") else given | {"early_stopping": stopping == "true"}


def generation_config(given: dict[str, Any], max_length: int) -> "GenerationConfig":
    """Returns the configuration that they make.

    Args:
        given: settings by name.
        max_length: the most tokens of an answer.

    Raises:
        T5MixError: a setting means nothing, or two contradict each other.
    """
    from t5mix.decoding import GenerationConfig
    from t5mix.validation import validate

    return validate(GenerationConfig, {**given, "max_new_tokens": max_length})
