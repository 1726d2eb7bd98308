"""What the tests of commands share."""

import contextlib

import pytest


@pytest.fixture(autouse=True)
def _no_early_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process load no TensorFlow ahead, in a process that nobody would ask for anything."""
    for module in ("cli.train", "data.prepare_client"):
        monkeypatch.setattr(f"t5mix.{module}.early_preparation", contextlib.nullcontext)
