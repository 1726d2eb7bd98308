"""`t5mix policy`: the list, and what one trains and costs."""

import json

import pytest

from t5mix.cli.main import main
from t5mix.finetuning import POLICIES

SMALL = "model={preset:tiny,d_model:16,d_ff:32,d_kv:8,num_heads:2,num_layers:1,num_decoder_layers:2,vocab_size:128}"
SHOW = ["policy", "show"]
ONE_BLOCK = "model.num_decoder_layers=1"
BATCH = ["lengths={inputs:16,targets:8}", "training.batch_size=4", "training.steps=100", SMALL]


def test_all_policies_are_listed(capsys: pytest.CaptureFixture[str]):
    assert main(["policy"]) == 0
    out = capsys.readouterr().out
    assert all(kind in out for kind in POLICIES)
    assert main(["policy", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed.keys() == POLICIES.keys()
    assert all(listed.values())


def test_what_one_trains_and_costs_when(capsys: pytest.CaptureFixture[str]):
    assert main([*SHOW, "gradual_unfreezing", *BATCH]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if "/" in line}
    assert rows["encoder/blocks/0"][-1] == "0"  # a stack of one block opens with the first episode
    assert [rows[f"decoder/blocks/{block}"][-1] for block in (0, 1)] == ["50", "0"]
    assert "everything" in out
    assert "operations of" in out


def test_json_says_the_same_and_more(capsys: pytest.CaptureFixture[str]):
    assert main([*SHOW, "lora", *BATCH, ONE_BLOCK, "finetuning.rank=2", "--json", "--compile"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["policy"] | {"kind": "lora", "rank": 2} == shown["policy"]
    trained = sum(row["trained"][0] for row in shown["modules"])
    attentions = 1 + 2  # of the encoder's block, and of the decoder's
    assert shown["costs"]["phases"][0]["trained"] == trained == attentions * 2 * 2 * (16 + 16)
    assert shown["full"]["phases"][0]["trained"] == shown["full"]["parameters"]
    assert shown["costs"]["phases"][0]["temporary_bytes"] > 0


def test_a_bank_takes_the_tasks_it_is_told(capsys: pytest.CaptureFixture[str]):
    command = [*SHOW, "per_task", *BATCH, ONE_BLOCK, "finetuning.policy=ia3", "--json"]
    trained = {}
    for tasks in ("[a]", "[a,b,c]"):
        assert main([*command, f"finetuning.tasks={tasks}"]) == 0
        trained[tasks] = json.loads(capsys.readouterr().out)["costs"]["phases"][0]["trained"]
    assert trained["[a,b,c]"] == 3 * trained["[a]"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lorra"], "Did you mean 'lora'"),
        (["adapter", "finetuning.dim=0"], "finetuning.dim is 0: it must be 1 or more"),
        (["lora", "finetuning.rank=-1"], "finetuning.rank is -1"),
        (["lora", "finetuning.targets=['.*/qeury']"], "matches no"),
        (["regex", "finetuning.train=['decodr/.*']"], "The nearest are"),
        (["per_task", "finetuning.policy=layer_norms"], "which adds nothing that a task could have of its own"),
        (["gradual_unfreezing", "finetuning.starts=[0,1.5]"], "finetuning.starts is [0.0, 1.5]"),
        (["prompt", "finetuning.length=0"], "finetuning.length is 0"),
        (["discriminative", "finetuning.decay=0"], "finetuning.decay is 0.0: it must be 1 or more"),
    ],
)
def test_bad_input_is_explained(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main([*SHOW, *arguments, *BATCH]) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
