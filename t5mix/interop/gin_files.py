"""Values in gin files, which lie beside checkpoints of T5X and Mesh TensorFlow. Nothing in them is run."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError

_STRING = r"\"[^\"]*\"|'[^']*'"
_MACRO = re.compile(r"%([\w./]+)")


def read_gin(path: Path) -> dict[str, Any]:
    """The bindings of a gin file whose values are literals, or macros that stand for literals, by their full names."""
    bindings = dict(_bindings(path.read_text(encoding="utf-8", errors="replace")))
    literals = {}
    for name, text in bindings.items():
        seen = set()
        while (macro := _MACRO.fullmatch(text)) and macro[1] in bindings and macro[1] not in seen:
            seen.add(macro[1])
            text = bindings[macro[1]]
        try:
            literals[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue  # a reference to a function, an expression: none that a model's shape depends on
    return literals


def model_settings(path: Path, names: Mapping[str, str]) -> dict[str, Any]:
    """What a gin file says about a model.

    Args:
        path: the file.
        names: field of `T5Config` -> the parameter that gives it, without scopes and modules, or the macro.

    Raises:
        T5MixError: the file gives a parameter two values in two scopes.
    """
    bindings = read_gin(path)
    settings = {}
    for field, parameter in names.items():
        values = [value for name, value in bindings.items() if _names(name, parameter) and value is not None]
        if any(value != values[0] for value in values):
            raise T5MixError(
                f"{path} gives {parameter} the values {values[0]} and {values[-1]}; t5mix has one for all."
            )
        if values:
            settings[field] = _activation(values[0]) if field == "activation" else values[0]
    return settings


def _names(binding: str, parameter: str) -> bool:
    return binding == parameter or ("." in parameter and f".{binding.split('/')[-1]}".endswith(f".{parameter}"))


def _activation(functions: Any) -> str:
    """The name that t5mix has for the activations of T5X and Mesh TensorFlow: both call tanh's form of GELU gelu."""
    names = list(functions) if isinstance(functions, list | tuple) else [functions]
    names = ["silu" if name == "swish" else name for name in names]
    return f"gated-{names[0]}" if names[1:] == ["linear"] else "-".join(map(str, names))


def _bindings(text: str) -> Iterator[tuple[str, str]]:
    """Each binding's name and the text of its value; the last one of a name holds."""
    block = ""
    for statement in _statements(text):
        indented = statement[0].isspace()
        if opened := re.fullmatch(r"([\w./]+):\s*", statement):
            block = f"{opened[1]}."
        elif binding := re.fullmatch(r"\s*([\w./]+)\s*=\s*(.+)", statement, re.DOTALL):
            name = re.sub(r"/(gin\.)?macro\.value$", "", binding[1])
            yield (block if indented else "") + name, binding[2].strip()


def _statements(text: str) -> Iterator[str]:
    """The statements of a file, without comments; those of several lines in one."""
    lines: list[str] = []
    for line in text.splitlines():
        line = re.sub(rf"({_STRING})|#.*", lambda match: match[1] or "", line).rstrip()
        goes_on = line.endswith("\\")
        lines.append(line.removesuffix("\\"))
        statement = "\n".join(lines)
        bare = re.sub(_STRING, "", statement)
        if goes_on or sum(map(bare.count, "([{")) > sum(map(bare.count, ")]}")):
            continue
        lines = []
        if statement.strip():
            yield statement
