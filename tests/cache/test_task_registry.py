import sys

import pytest

from t5mix.cache import task_registry
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.tensorflow_setup import seqio, tf


@pytest.fixture
def mixtures():
    feature = seqio.Feature(seqio.ByteVocabulary())
    source = seqio.FunctionDataSource(lambda split, shuffle_files: tf.data.Dataset.range(1), splits=["train"])
    features = {"inputs": feature, "targets": feature}
    for name in ("reg_a", "reg_b", "reg_c"):
        seqio.TaskRegistry.add(name, source=source, preprocessors=[], output_features=features)
    seqio.MixtureRegistry.add("reg_inner", [("reg_a", 1), ("reg_b", 2)])
    seqio.MixtureRegistry.add("reg_outer", [("reg_inner", 1), ("reg_c", 5), ("reg_a", 3)])
    yield
    for name in ("reg_a", "reg_b", "reg_c"):
        seqio.TaskRegistry.remove(name)
    for name in ("reg_inner", "reg_outer"):
        seqio.MixtureRegistry.remove(name)


@pytest.mark.usefixtures("mixtures")
def test_mixtures_are_taken_apart_and_each_task_counts_once():
    assert [task.name for task in task_registry.resolve(["reg_outer"])] == ["reg_a", "reg_b", "reg_c"]
    assert [task.name for task in task_registry.resolve(["reg_c", "reg_inner", "reg_a"])] == ["reg_c", "reg_a", "reg_b"]
    with pytest.raises(UnknownNameError, match=r"task or mixture 'reg_inne'\. Did you mean 'reg_inner'.*t5mix tasks"):
        task_registry.resolve(["reg_inne"])


@pytest.mark.usefixtures("mixtures")
def test_a_mixture_that_contains_itself_is_refused():
    inner = seqio.MixtureRegistry.get("reg_inner")
    inner._sub_mixtures.append(seqio.MixtureRegistry.get("reg_outer"))
    with pytest.raises(T5MixError, match="mixture 'reg_outer' contains itself"):
        task_registry.resolve(["reg_outer"])


def test_plugins_come_from_the_working_directory_and_failures_name_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "good_plugin.py").write_text("LOADED = True\n")
    (tmp_path / "bad_plugin.py").write_text("1 / 0\n")
    task_registry.load(["good_plugin"])
    assert sys.modules.pop("good_plugin").LOADED
    with pytest.raises(T5MixError, match="plugin 'bad_plugin' cannot be imported: ZeroDivisionError"):
        task_registry.load(["bad_plugin"])
    with pytest.raises(T5MixError, match=r"plugin 'no_plugin' cannot.*working directory"):
        task_registry.load(["no_plugin"])
