"""Imports only point down, and the floors that train need neither TensorFlow nor seqio."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "t5mix"
ORDER = (
    *("interrupts", "child_process", "errors", "registry", "configurable", "console", "files"),
    *(
        "yaml_files",
        "validation",
        "plugins",
        "compiled_programs",
        "subprocesses",
        "tensorflow_setup",
        "model",
        "decoding",
        "data",
        "sources",
    ),
    *("preprocessors", "metrics", "mixing", "finetuning", "cache", "distributed", "tracking", "checkpoint", "interop"),
    *("evaluation", "training", "config", "runs", "sweep", "analysis", "plots", "report", "cli"),
    *("python_api", "__init__"),
)
"""Each package or module of t5mix imports only from those before it."""


def modules() -> list[Path]:
    folders = ("tasks", "mixtures")
    return [path for path in sorted(ROOT.rglob("*.py")) if path.relative_to(ROOT).parts[0] not in folders]


def imported(path: Path) -> set[str]:
    """The modules of t5mix that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("t5mix.")}


def unit(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_module_has_a_floor():
    assert {unit(path) for path in modules()} <= set(ORDER)


def test_imports_only_point_down():
    wrong = []
    for path in modules():
        importer = unit(path)
        for name in imported(path):
            package = name.split(".")[1]
            if package != importer and package in ORDER and ORDER.index(package) > ORDER.index(importer):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_nothing_unpickles():
    """What comes from the disk or from another process may have been written by anybody, and JSON runs no code."""
    for path in modules():
        if path.name == "torch_files.py":  # whose unpickler calls nothing that a file names (tests/interop)
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"} & set(names), path


def test_files_stay_short_and_named():
    for path in modules():
        assert path.name not in {"utils.py", "helpers.py", "common.py", "misc.py"}
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def loaded_after(statement: str) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after a statement."""
    heavy = ("jax", "flax", "tensorflow", "seqio", "tensorflow_datasets")
    code = f"import sys\n{statement}\nprint(' '.join(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import t5mix.runs.train, t5mix.runs.evaluate, t5mix.runs.load, t5mix.mixing.forecast, t5mix.cli.train",
        "from t5mix.tracking.metric_logger import TensorBoard; import tempfile, pathlib\n"
        "board = TensorBoard(pathlib.Path(tempfile.mkdtemp())); board.write(1, {'loss': 1.0}); board.close()",
    ],
)
def test_training_loads_no_tensorflow(statement: str):
    assert not loaded_after(statement) & {"tensorflow", "seqio", "tensorflow_datasets"}


def test_import_and_help_are_light():
    assert loaded_after("import t5mix") == set()
    assert loaded_after("from t5mix.cli.parser import build_parser; build_parser().format_help()") == set()


def test_mixing_and_the_numpy_side_of_data_are_light():
    names = (
        "stream",
        "packing",
        "batch",
        "token_store",
        "manifest",
        "pipeline",
        "prefetch",
        "prepare_client",
        "tokenizer",
    )
    modules = ["t5mix.mixing", "t5mix.sources.declaration", "t5mix.cache.request_checks"]
    modules += [*(f"t5mix.data.{name}" for name in names)]
    statement = f"import {', '.join(modules)}"
    assert loaded_after(statement) == set()


@pytest.mark.parametrize("name", ["tasks", "mixtures"])
def test_bare_names_are_refused(name: str):
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"], cwd=ROOT.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"import t5mix.{name}" in done.stderr
