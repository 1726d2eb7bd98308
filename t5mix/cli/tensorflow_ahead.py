"""A guess, within milliseconds, whether the data of a command will need TensorFlow, which then can load at once."""

import argparse
import contextlib
import re
from pathlib import Path
from typing import Any

from t5mix.data.manifest import needs_tensorflow
from t5mix.errors import T5MixError
from t5mix.yaml_files import is_yaml, read_yaml


def will_need_tensorflow(options: argparse.Namespace, mixture: str | None = None) -> bool:
    """Says whether a command's tasks are likely to be registered, and not declared in its configuration file.

    A wrong guess costs time and nothing else: composing the configuration would tell, but takes JAX, and seconds.

    Args:
        options: `config` and `overrides`.
        mixture: the tasks, where the command names them itself.
    """
    content: Any = None
    if is_yaml(options.config):
        with contextlib.suppress(T5MixError, OSError):  # said in due course
            content = read_yaml(Path(options.config))
    settings = content if isinstance(content, dict) else {}
    named = mixture or settings.get("mixture") or ()
    for override in options.overrides:
        if override.startswith("mixture="):
            named = override.partition("=")[2]
    names = re.findall(r"[^\s,\[\]'\"]+", named) if isinstance(named, str) else [str(name) for name in named]
    declared = settings.get("tasks")
    return needs_tensorflow(names, map(str, declared) if isinstance(declared, dict) else ())
