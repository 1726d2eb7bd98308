"""A dollar in a template is text if it is written as text, and an error says how."""

from pathlib import Path

import pytest

from t5mix.config.compose import compose_experiment
from t5mix.errors import T5MixError

CONFIGURATION = """\
defaults:
  - experiment
  - _self_
run_dir: runs/x
vocabulary: bytes
mixture: [prices]
variables: {{word: costs}}
tasks:
  prices: {{files: {{train: a.tsv}}, inputs: {template}, targets: label}}
"""


def inputs_of(path: Path, template: str) -> str:
    path.write_text(CONFIGURATION.format(template=template), encoding="utf-8")
    return compose_experiment(str(path))["tasks"]["prices"]["inputs"]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("'worth \\${sum}: {x}'", "worth ${sum}: {x}"),
        ('"${variables.word} {x} $"', "costs {x} $"),
        ('"{x} costs $5"', "{x} costs $5"),
    ],
)
def test_dollars_of_templates(tmp_path: Path, template: str, text: str):
    assert inputs_of(tmp_path / "a.yaml", template) == text


@pytest.mark.parametrize(
    ("template", "problem", "better"),
    [
        ('"worth ${sum}: {x}"', "key 'sum' not found", "'worth \\${sum}: {x}'"),
        ('"it\'s ${}: {x}"', "no viable alternative", "'it''s \\${}: {x}'"),
        ('"{x} ${#1 String}"', "token recognition error", "'{x} \\${#1 String}'"),
        ('"${oc.env:T5MIX_NOWHERE}"', "not found", "'\\${oc.env:T5MIX_NOWHERE}'"),
    ],
)
def test_a_dollar_that_refers_to_nothing(tmp_path: Path, template: str, problem: str, better: str):
    with pytest.raises(T5MixError) as error:
        inputs_of(tmp_path / "a.yaml", template)
    text = str(error.value)
    assert text.startswith("tasks.prices.inputs is ")
    assert problem in text
    assert text.endswith(f"single quotes: {better}.")


def test_other_errors_are_never_empty(tmp_path: Path):
    with pytest.raises(T5MixError, match=r"cannot be composed: Missing mandatory value: inputs \(tasks"):
        inputs_of(tmp_path / "a.yaml", '"???"')


def test_a_dollar_on_the_command_line_is_told_how_to_write_it():
    with pytest.raises(T5MixError, match=r"key 'x' not found \(run_dir\)\. .* has a backslash before it"):
        compose_experiment("demo", ["run_dir=runs/${x}"])
    assert compose_experiment("demo", [r"run_dir='runs/\${x}'"])["run_dir"] == "runs/${x}"
