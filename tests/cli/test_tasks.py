"""`t5mix tasks` in a pipe; what it finds out is tested in tests/cache/test_inspection.py."""

import json
import sys

import pytest

from t5mix.cache.listing import Listing
from t5mix.cli.main import main
from t5mix.cli.tasks import registered
from tests.support.listings import METRICS, NAME, TEXT, set_listings


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> None:
    """What seqio would be asked for: one task and one example."""
    set_listings(monkeypatch)


@pytest.mark.usefixtures("inspected")
def test_the_list_is_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]):
    assert main(["tasks"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if NAME in line)
    assert [cell for cell in row.split("  ") if cell] == [NAME, "train (1,234,567), test", ", ".join(METRICS), "demo"]


@pytest.mark.usefixtures("inspected")
def test_the_list_as_json(capsys: pytest.CaptureFixture[str]):
    assert main(["tasks", "--json"]) == 0
    (task,) = json.loads(capsys.readouterr().out)
    assert task == {
        "name": NAME,
        "splits": ["train", "test"],
        "source": "TextLineDataSource",
        "sizes": {"train": 1_234_567},
        "metrics": list(METRICS),
        "mixtures": ["demo"],
    }


@pytest.mark.usefixtures("inspected")
@pytest.mark.parametrize("arguments", [["tasks", "--json", "show", NAME], ["tasks", "show", NAME, "--json"]])
def test_json_may_be_asked_for_before_or_after_show(arguments: list[str], monkeypatch: pytest.MonkeyPatch):
    given: list[bool] = []
    monkeypatch.setattr("t5mix.cli.tasks.run", lambda options: given.append(options.json) or 0)
    assert main(arguments) == 0
    assert given == [True]


@pytest.mark.usefixtures("inspected")
def test_examples_are_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]):
    assert main(["tasks", "show", NAME]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == f"{NAME} train, from TextLineDataSource; splits: train, test"
    assert lines[1:3] == ["metrics: loss; new draw each epoch: no", "vocabulary: demo.model, 8192 ids"]
    assert lines[3] == "the first 8 examples; the split has 4,000"
    assert lines[6].split() == ["inputs", "1", "2.2", "2.0", "3.0", "4", "3", "12.5"]
    assert lines.count("inputs (2 tokens, cut)") == 1
    assert lines.count(TEXT.rstrip()) == 2
    assert lines[-1] == "label: [0]"


def test_what_is_kept_needs_no_tensorflow(monkeypatch: pytest.MonkeyPatch):
    listing = Listing((), {"demo": ()})
    monkeypatch.setattr("t5mix.cache.listing.may_be_out_of_date", lambda: False)
    monkeypatch.setattr("t5mix.cache.listing.kept_listing", lambda plugins: listing)
    monkeypatch.setitem(sys.modules, "t5mix.cache.registry_listing", None)  # type: ignore[arg-type]
    assert registered(()) is listing
