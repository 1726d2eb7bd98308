"""What is said about a misspelt command line, and what may be written shorter."""

import argparse
from types import ModuleType

import pytest

from t5mix.cli import mixtures, policy, tasks, train, vocabulary
from t5mix.cli.main import main


@pytest.mark.parametrize(
    ("words", "usage", "message"),
    [
        ("trian", "t5mix ", "t5mix: error: Unknown command 'trian'. Did you mean 'train'?"),
        ("xyz", "t5mix ", "Unknown command 'xyz'. Known: curves, delta, eval, "),
        ("train --confg demo", "t5mix train ", "t5mix train: error: Unknown option '--confg'. Did you mean --config?"),
        ("train --confg=demo", "t5mix train ", "Unknown option '--confg'. Did you mean --config?"),
        ("eval RUN --chekpoint 5", "t5mix eval ", "Unknown option '--chekpoint'. Did you mean --checkpoint"),
        ("tasks show x --exmples 5", "t5mix tasks show ", "Unknown option '--exmples'. Did you mean --examples?"),
        ("eval RUN --zzz", "t5mix eval ", "Unknown option '--zzz'. `t5mix eval --help` lists them."),
        ("eval RUN more", "t5mix eval ", "unrecognized arguments: more"),
        ("tasks shwo demo_qa", "t5mix tasks ", "Unknown command 'shwo'. Did you mean 'show'?"),
        ("delta mrge a b", "t5mix delta ", "Unknown command 'mrge'. Did you mean 'merge'?"),
        ("sweep table10 --executor slrum", "t5mix sweep ", "Unknown value 'slrum'. Did you mean 'slurm'"),
        ("train training.steps 5", "t5mix train ", "'training.steps 5' is no setting: write training.steps=5."),
        ("train seed=1 training.steps = 5", "t5mix train ", "write training.steps=5."),
        ("train training.steps= 5 seed=1", "t5mix train ", "write training.steps=5."),
        ("train demo", "t5mix train ", "'demo' is no setting: write --config demo."),
        ("train seed=1 mine.yaml", "t5mix train ", "'mine.yaml' is no setting: write --config mine.yaml."),
        ("train training.steps --show =5", "t5mix train ", "write training.steps=5."),
        (
            "tasks --plugins mine show demo_qa",
            "t5mix tasks ",
            "--plugins is for the list. To show one, write: t5mix tasks show demo_qa 'plugins=[mine]'",
        ),
        ("mixtures --plugins=a show demo", "t5mix mixtures show ", "t5mix mixtures show demo 'plugins=[a]'"),
    ],
)
def test_what_is_misspelt_is_told_the_nearest_name_and_the_commands_usage(
    words: str, usage: str, message: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"usage: {usage}[-h]")
    assert message in captured.err


@pytest.mark.parametrize(
    ("words", "module", "expected"),
    [
        ("tasks demo_qa --split test", tasks, {"show": "demo_qa", "split": "test"}),
        ("mixtures demo mixing=equal --steps 5", mixtures, {"show": "demo", "overrides": ["mixing=equal"], "steps": 5}),
        ("mixtures demo,demo_text", mixtures, {"show": "demo,demo_text"}),
        ("policy lora finetuning.rank=8", policy, {"show": "lora", "overrides": ["finetuning.rank=8"]}),
        ("policy --compile lora", policy, None),
        ("tasks show", tasks, None),
        ("tasks", tasks, {"show": None}),
        ("policy --json", policy, {"show": None, "json": True}),
        ("vocab a.tsv b.txt --output v.model", vocabulary, {"files": ["a.tsv", "b.txt"], "output": "v.model"}),
        ("train ~seed a=1 --show b.c=2", train, {"overrides": ["~seed", "a=1", "b.c=2"], "show": True}),
    ],
)
def test_the_only_verb_need_not_be_written(
    words: str, module: ModuleType, expected: dict[str, object] | None, monkeypatch: pytest.MonkeyPatch
):
    given: list[argparse.Namespace] = []
    monkeypatch.setattr(module, "run", lambda options: given.append(options) or 0)
    if expected is None:
        with pytest.raises(SystemExit):
            main(words.split())
        return
    assert main(words.split()) == 0
    assert {key: getattr(given[0], key) for key in expected} == expected


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["help"], ["--help"]),
        (["help", "train"], ["train", "--help"]),
        (["help", "tasks", "show"], ["tasks", "show", "--help"]),
        (["version"], ["--version"]),
    ],
)
def test_help_and_version_may_be_written_as_commands(
    words: list[str], same: list[str], capsys: pytest.CaptureFixture[str]
):
    said = []
    for line in (words, same):
        with pytest.raises(SystemExit) as ended:
            main(line)
        assert ended.value.code == 0
        said.append(capsys.readouterr())
    assert said[0].out == said[1].out
    assert said[0].out
    assert said[0].err == ""
