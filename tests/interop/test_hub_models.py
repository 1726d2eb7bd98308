"""Names of the Hugging Face hub; tests ask no network, and make the cache that a download leaves."""

import sys
from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.interop import hub_models
from t5mix.interop.hub_models import find_folder
from tests.support.huggingface_folders import write_folder

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with one model, me/mine."""
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    model = tmp_path / "hub" / "models--me--mine"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(REVISION)
    write_folder(model / "snapshots" / REVISION)
    return tmp_path / "hub"


def test_what_is_in_the_cache_needs_no_network(cache: Path):
    assert find_folder(Path("me/mine")) == cache / "models--me--mine" / "snapshots" / REVISION


def test_a_model_that_cannot_be_had(cache: Path):
    with pytest.raises(T5MixError, match=r"me/other is no folder here .*Without a network, copy the model's folder"):
        find_folder(Path("me/other"))


@pytest.mark.parametrize("name", ["runs/first", "a/b/c", "model", "/me/mine", "./me"])
def test_what_is_no_name_of_the_hub(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub_models, "_hub_folder", lambda name: pytest.fail(f"{name} was looked for on the hub"))
    assert find_folder(Path(name)) == Path(name)


def test_a_folder_here_comes_first(cache: Path):
    Path("me").mkdir()
    assert find_folder(Path("me/mine")) == Path("me/mine")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(T5MixError, match=r"There is no folder me/mine .*pip install 't5mix\[hf\]'"):
        find_folder(Path("me/mine"))
