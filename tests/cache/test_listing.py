import sys
from pathlib import Path

import pytest

from t5mix.cache.listing import Listing, keep_listing, kept_listing
from t5mix.cache.registry_listing import list_registered

PLUGIN = """
from t5mix.tensorflow_setup import seqio
seqio.MixtureRegistry.remove("own_listed") if "own_listed" in seqio.MixtureRegistry.names() else None
seqio.MixtureRegistry.add("own_listed", [("demo_{task}", 1.0)])
"""


def make_and_keep(*plugins: str) -> Listing:
    listing = list_registered(plugins)
    keep_listing(listing, plugins)
    return listing


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path / "home"


def test_the_list_is_kept():
    assert kept_listing() is None
    listing = make_and_keep()
    tasks = {task.name: task for task in listing.tasks}
    assert "demo" in tasks["demo_sentiment"].mixtures
    assert tasks["demo_sentiment"].sizes["train"] > 0
    assert {"demo_sentiment", "demo"} <= listing.names
    assert kept_listing() == listing


def test_a_changed_plugin_is_listed_anew(tmp_path: Path, seqio):
    (tmp_path / "own_listing.py").write_text(PLUGIN.format(task="sentiment"))
    listing = make_and_keep("own_listing")
    assert listing.mixtures["own_listed"] == ("demo_sentiment",)
    assert kept_listing(["own_listing"]) == listing
    assert kept_listing() is None  # another list, without it
    (tmp_path / "own_listing.py").write_text(PLUGIN.format(task="paraphrase"))
    assert kept_listing(["own_listing"]) is None
    del sys.modules["own_listing"]
    assert list_registered(["own_listing"]).mixtures["own_listed"] == ("demo_paraphrase",)
    seqio.MixtureRegistry.remove("own_listed")


def test_what_cannot_be_kept_is_made_each_time(home: Path):
    home.write_text("not a folder")
    assert make_and_keep().tasks
    assert kept_listing() is None


def test_a_broken_file_is_as_good_as_none(home: Path):
    make_and_keep()
    (kept,) = (home / ".cache" / "t5mix" / "tasks").iterdir()
    for content in ("", "[]", "{}", '{"files": {}, "listing": {"tasks": [{}], "mixtures": {}}}'):
        kept.write_text(content)
        assert kept_listing() is None
