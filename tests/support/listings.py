"""What seqio would be asked for by commands that list or show tasks and mixtures, made up."""

import sys
from types import SimpleNamespace

import pytest

from t5mix.cache.listing import Listing, RegisteredTask

NAME = "demo_acceptability_[with_a_long_name]"
METRICS = ("sequence_accuracy_over_all_of_the_targets", "matthews_correlation_of_the_two_labels")
TEXT = "acceptability sentence: " + "a long sentence that no line of a terminal holds, " * 4


def set_listings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the commands find one task, one example of it, and one mixture."""
    listed = RegisteredTask(NAME, ("train", "test"), "TextLineDataSource", {"train": 1_234_567}, METRICS, ("demo",))
    feature = SimpleNamespace(text=TEXT, ids=(5, 6), pieces=("▁a", "b"), decoded="a b", length=2, truncated=True)
    lengths = SimpleNamespace(min=1, mean=2.25, p50=2, p95=3, max=4, limit=3, truncated=0.125)
    view = SimpleNamespace(name=NAME, split="train", source="TextLineDataSource", splits=("train", "test"), metrics=())
    view.size, view.random, view.examined, view.inputs, view.targets = 4000, False, 8, lengths, lengths
    view.vocabulary = SimpleNamespace(path="demo.model", kind="sentencepiece", size=8192)
    view.examples = [SimpleNamespace(inputs=feature, targets=feature, fields={"label": "[0]"})]
    listing = Listing((listed,), {"demo": (NAME, "demo_sentiment", "demo_entailment")})
    for command in ("tasks", "mixtures"):
        monkeypatch.setattr(f"t5mix.cli.{command}.registered", lambda plugins: listing)
    module = SimpleNamespace(inspect_task=lambda *arguments, count: view)
    monkeypatch.setitem(sys.modules, "t5mix.cache.inspection", module)  # type: ignore[arg-type]
