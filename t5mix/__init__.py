"""t5mix: multi-task text-to-text training with pluggable mixing strategies and fine-tuning policies.

Importing this package loads neither JAX nor TensorFlow; what is used of it loads what it needs.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from t5mix.python_api import Model, Run
    from t5mix.python_api import open_model as load
    from t5mix.python_api import train_run as train

__version__ = "0.1.0"
__all__ = ("Model", "Run", "__version__", "load", "train")

_LOADED_LATER = {"Model": "Model", "Run": "Run", "load": "open_model", "train": "train_run"}


def __getattr__(name: str) -> Any:
    if name in _LOADED_LATER:
        from t5mix import python_api

        return getattr(python_api, _LOADED_LATER[name])
    raise AttributeError(f"module 't5mix' has no attribute {name!r}")
