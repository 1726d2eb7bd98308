from argparse import Namespace
from pathlib import Path

import pytest

from t5mix.cli.tensorflow_ahead import will_need_tensorflow

DECLARED = "mixture: [mine, yours]\ntasks: {mine: {}, yours: {}, third: {}}\n"


@pytest.mark.parametrize(
    ("content", "overrides", "shown", "expected"),
    [
        (DECLARED, [], None, False),
        (DECLARED, ["mixture=[mine,third]", "seed=1"], None, False),
        (DECLARED, ["mixture=demo"], None, True),
        (DECLARED, [], "mine,third", False),
        (DECLARED, [], "mine,demo", True),
        ("mixture: mine\ntasks: {mine: {}}\n", [], None, False),
        ("mixture: [mine, demo]\ntasks: {mine: {}}\n", [], None, True),
        ("mixture: demo\n", [], None, True),
        ("mixture: [mine\n", ["mixture=mine"], None, True),
        ("- no settings\n", ["mixture=mine"], None, True),
    ],
)
def test_tasks_that_the_file_declares_need_none(
    content: str, overrides: list[str], shown: str | None, expected: bool, tmp_path: Path
):
    (tmp_path / "mine.yaml").write_text(content)
    options = Namespace(config=str(tmp_path / "mine.yaml"), overrides=overrides)
    assert will_need_tensorflow(options, shown) is expected


def test_the_packages_own_configurations_need_it():
    assert will_need_tensorflow(Namespace(config="quickstart", overrides=["mixture=demo"]))
    assert will_need_tensorflow(Namespace(config="missing.yaml", overrides=["mixture=mine"]))
