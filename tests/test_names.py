"""A public name has one meaning in the whole package."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1] / "t5mix"
COMMANDS = {"run", "main"}  # what each command and each process of its own begins with


def definitions() -> dict[str, list[str]]:
    """Returns the modules that define each public class, function or type alias at their top level."""
    modules = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        if path.relative_to(ROOT).parts[0] in ("tasks", "mixtures"):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                names = [node.name]
            elif isinstance(node, ast.Assign):  # of types such as `Params = dict[str, jax.Array]`
                targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
                names = [name for name in targets if re.fullmatch(r"[A-Z][a-z]\w*", name)]
            else:
                names = []
            for name in names:
                if not name.startswith("_"):
                    modules[name].append(str(path.relative_to(ROOT)))
    return modules


def test_no_public_name_is_defined_twice():
    twice = {name: paths for name, paths in definitions().items() if len(paths) > 1 and name not in COMMANDS}
    assert twice == {}
