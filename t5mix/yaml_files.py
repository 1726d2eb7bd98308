"""YAML: files that come with the package, and reading one with its errors in words. Loads PyYAML where it is needed."""

import functools
from importlib import resources
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError


def is_yaml(name: str) -> bool:
    """Says whether a name is that of a YAML file, and not of something that the package brings."""
    return name.endswith((".yaml", ".yml"))


def packaged_yaml(package: str, folder: str) -> dict[str, Path]:
    """Returns the YAML files in a folder of a package by name, without the ending; loads nothing of what it holds."""
    files = resources.files(package).joinpath(folder).iterdir()
    return {path.stem: path for path in sorted(Path(str(file)) for file in files) if path.suffix == ".yaml"}


def read_yaml(path: Path) -> Any:
    """Returns what a YAML file holds.

    Raises:
        T5MixError: it is not UTF-8 or not YAML; names the file, the line and the column.
    """
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise T5MixError(f"{path}, line {line}: this is not UTF-8. Save the file as UTF-8.") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> Any:
    """Returns what YAML text holds; `source` says in errors where it is from.

    Raises:
        T5MixError: it is not YAML, or a mapping has a key twice; names the source, the line and the column.
    """
    import yaml

    try:
        return yaml.load(text, _loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        if isinstance(error, yaml.constructor.ConstructorError) and error.context == _TWICE:
            raise T5MixError(f"{source}{where}: {error.problem} is there twice. Rename it or leave it out.") from error
        problem = ", ".join(filter(None, (error.context, error.problem)))
        raise T5MixError(f"{source}{where}: this is not YAML: {problem}.") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        raise T5MixError(
            f"{source}, line {line}, column {column}: YAML does not allow the character U+{error.character:04X}."
        ) from error
    except ValueError as error:  # a date such as 2024-13-45
        raise T5MixError(f"{source}: this is not YAML: {error}.") from error


_TWICE = "key twice"


@functools.cache
def _loader() -> Any:
    """Returns PyYAML's safe loader, made to refuse a key that is there already: of two tasks one would be lost."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    if (key.tag, key.value) in seen:
                        raise yaml.constructor.ConstructorError(_TWICE, None, f"the key {key.value}", key.start_mark)
                    seen.add((key.tag, key.value))
            return super().construct_mapping(node, deep)

    return Loader
