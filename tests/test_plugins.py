"""A user's module is imported in training where it can be, and left to the worker where it needs TensorFlow."""

import sys
from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.plugins import import_plugins

LIBRARIES = ("seqio", "tensorflow", "tensorflow_datasets")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, in a process that seems not to have loaded the libraries of tasks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [*LIBRARIES, "t5mix.tensorflow_setup"]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "statement",
    [
        "import seqio",
        "from seqio import preprocessors",
        "import tensorflow.io as io",
        "import tensorflow_datasets",
        "from t5mix.tensorflow_setup import seqio",
        "try:\n    import seqio\nexcept ImportError as error:\n    raise RuntimeError('no seqio') from error",
        "__import__('seqio')",
    ],
)
def test_what_needs_tensorflow_is_left_to_the_worker(folder: Path, statement: str):
    (folder / "plugin_with_tasks.py").write_text(f"import json\n{statement}\nraise KeyError\n", encoding="utf-8")
    finders, modules = list(sys.meta_path), set(sys.modules)
    import_plugins(["plugin_with_tasks"], without_tensorflow=True)
    assert sys.meta_path == finders
    assert set(sys.modules) == modules


def test_a_mention_of_seqio_is_not_an_import(folder: Path):
    text = '"""\nimport seqio\n"""\ndef later():\n    import seqio\n    return seqio\n'
    (folder / "plugin_of_strategies.py").write_text(text, encoding="utf-8")
    import_plugins(["plugin_of_strategies"], without_tensorflow=True)
    assert sys.modules.pop("plugin_of_strategies").later


def test_a_plugin_may_do_without_seqio(folder: Path):
    text = "try:\n    import seqio\nexcept ImportError:\n    seqio = None\n"
    (folder / "plugin_with_a_choice.py").write_text(text, encoding="utf-8")
    import_plugins(["plugin_with_a_choice"], without_tensorflow=True)
    assert sys.modules.pop("plugin_with_a_choice").seqio is None


def test_a_package_is_left_as_a_whole(folder: Path):
    package = folder / "plugin_package"
    package.mkdir()
    (package / "__init__.py").write_text("from plugin_package import strategies, tasks\n", encoding="utf-8")
    (package / "strategies.py").write_text("", encoding="utf-8")
    (package / "tasks.py").write_text("import seqio\n", encoding="utf-8")
    import_plugins(["plugin_package"], without_tensorflow=True)
    assert not {"plugin_package", "plugin_package.tasks"} & set(sys.modules)
    sys.modules.pop("plugin_package.strategies")


def test_an_error_in_the_package_of_a_plugin_is_its_own(folder: Path):
    package = folder / "plugin_parent"
    package.mkdir()
    (package / "inner.py").write_text("", encoding="utf-8")
    for statement, said in (("import nothing_such", "No module named 'nothing_such'"), ("1 / 0", "division by zero")):
        (package / "__init__.py").write_text(f"{statement}\n", encoding="utf-8")
        for without_tensorflow in (True, False):
            with pytest.raises(T5MixError, match=rf"'plugin_parent.inner' cannot be imported: \w+: {said}"):
                import_plugins(["plugin_parent.inner"], without_tensorflow=without_tensorflow)
    (package / "__init__.py").write_text("import seqio\n", encoding="utf-8")
    import_plugins(["plugin_parent.inner"], without_tensorflow=True)  # left to the worker
    with pytest.raises(T5MixError, match=r"'no_parent.inner' cannot .* 'no_parent'\. Is it installed"):
        import_plugins(["no_parent.inner"], without_tensorflow=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    with pytest.raises(T5MixError, match=r"'plugin_parent.other' is not found"):
        import_plugins(["plugin_parent.other"], without_tensorflow=True)
    import_plugins(["plugin_parent.inner"], without_tensorflow=True)
    assert sys.modules.pop("plugin_parent.inner")
    assert sys.modules.pop("plugin_parent")


def test_other_failures_are_reported(folder: Path):
    (folder / "bad_plugin.py").write_text("1 / 0\n", encoding="utf-8")
    for without_tensorflow in (True, False):
        with pytest.raises(T5MixError, match="plugin 'bad_plugin' cannot be imported: ZeroDivisionError"):
            import_plugins(["bad_plugin"], without_tensorflow=without_tensorflow)
    with pytest.raises(T5MixError, match=r"plugin 'no_plugin' is not found\. plugins lists modules"):
        import_plugins(["no_plugin"], without_tensorflow=True)
    with pytest.raises(T5MixError, match=r"plugin 'no_plugin' cannot.*working directory"):
        import_plugins(["no_plugin"], without_tensorflow=False)
    (folder / "no_module").mkdir()
    with pytest.raises(T5MixError, match="plugin 'no_module' is not found"):
        import_plugins(["no_module"], without_tensorflow=True)


def test_where_seqio_is_loaded_every_plugin_is_imported(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "seqio", sys)
    (folder / "plugin_with_seqio.py").write_text("import seqio\n", encoding="utf-8")
    import_plugins(["plugin_with_seqio"], without_tensorflow=True)
    assert sys.modules.pop("plugin_with_seqio").seqio is sys
