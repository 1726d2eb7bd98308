"""What the tests of commands share."""

import contextlib

import pytest


@pytest.fixture(autouse=True)
def _no_early_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process load no TensorFlow ahead, in a process that nobody would ask for anything."""
    monkeypatch.setattr("t5mix.data.prepare_client.early_preparation", lambda **_: contextlib.nullcontext())
