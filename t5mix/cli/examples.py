"""The examples at the end of each command's help, and where to read on."""

ALL_COMMANDS = """\
examples:
  t5mix train --config demo                               train on the demo's ten tasks
  t5mix train --config demo mixing=temperature mixing.temperature=4 run_dir=runs/t4
  t5mix eval runs/demo                                    score it on the validation splits
  echo "translate English to Velish: The dog sleeps." | t5mix predict runs/demo
  t5mix tasks show demo_sentiment                         what the model will see
  t5mix mixtures show demo mixing=equal --steps 1000      what a mixture will draw
  t5mix mixtures show demo --mixing equal --mixing temperature:temperature=2 --plot demo.png
  t5mix policy show lora model=t5_base finetuning.rank=8  what a policy trains, and what it costs
  t5mix curves runs/demo                                  losses and mixing over the steps, also while it runs
  t5mix sweep table10 scale=tiny                          compare fine-tuning methods, with tuned rates and seeds
  t5mix report sweeps/table10-tiny                        the comparison as a page, with intervals and verdicts

`t5mix COMMAND --help` has the options of a command and examples of it. Read on: README.md, docs/commands.md
"""

EXAMPLES = {
    "train": (
        "docs/training.md",
        "t5mix train --config demo",
        "t5mix train --config demo mixing=temperature mixing.temperature=4 training.steps=500 run_dir=runs/t4",
        "t5mix train --config demo finetuning=lora --show",
    ),
    "eval": (
        "docs/training.md#evaluation-and-prediction",
        "t5mix eval runs/demo",
        "t5mix eval runs/demo --split test --tasks demo_qa demo_summary --checkpoint demo_qa",
        "t5mix eval runs/mine --split test tasks.reviews.files.test=new.tsv",
    ),
    "predict": (
        "docs/training.md#evaluation-and-prediction",
        'echo "translate English to Velish: The dog sleeps." | t5mix predict runs/demo',
        "t5mix predict runs/demo --input lines.txt --output answers.txt",
        't5mix predict runs/demo --inputs "demo_sentiment sentence: {sentence}" --input rows.csv --json --scores',
        "t5mix predict runs/demo --task demo_qa --split validation --json",
        "t5mix predict runs/demo --input lines.txt --num-beams 4 --num-return-sequences 2 --json",
    ),
    "tasks": (
        "docs/tasks.md",
        "t5mix tasks",
        "t5mix tasks demo_sentiment",
    ),
    "tasks show": (
        "docs/tasks.md#inspect-a-task",
        "t5mix tasks show demo_sentiment",
        "t5mix tasks show demo_qa --config demo --split validation --examples 5",
    ),
    "tasks check": (
        "docs/tasks.md#check-a-task",
        "t5mix tasks check demo_sentiment",
        "t5mix tasks check demo_qa demo_summary --split validation --json",
    ),
    "mixtures": (
        "docs/mixing.md",
        "t5mix mixtures",
        "t5mix mixtures demo mixing=equal",
    ),
    "mixtures show": (
        "docs/mixing.md#inspecting-a-mixture",
        "t5mix mixtures show demo mixing=temperature mixing.temperature=2",
        "t5mix mixtures show demo_qa,demo_summary --mixing equal --mixing temperature:temperature=2 --plot two.png",
    ),
    "curves": (
        "docs/mixing.md#inspecting-a-run",
        "t5mix curves runs/demo",
        "t5mix curves runs/demo runs/t4 --out both.png",
    ),
    "policy": (
        "docs/finetuning.md",
        "t5mix policy",
        "t5mix policy lora model=t5_base finetuning.rank=16",
    ),
    "policy show": (
        "docs/finetuning.md#costs",
        "t5mix policy show lora model=t5_base finetuning.rank=16",
        "t5mix policy show gradual_unfreezing --config demo",
    ),
    "import": (
        "docs/checkpoints.md#in",
        "t5mix import flan-t5-small runs/flan --dry-run",
        "t5mix import flan-t5-small runs/flan",
    ),
    "export": (
        "docs/checkpoints.md#out",
        "t5mix export runs/demo out/demo --dtype bfloat16",
    ),
    "delta": (
        "docs/finetuning.md#checkpoints-on-a-base",
        "t5mix delta show runs/lora",
        "t5mix delta merge runs/lora runs/merged",
    ),
    "delta show": (
        "docs/finetuning.md#checkpoints-on-a-base",
        "t5mix delta show runs/lora runs/bank/checkpoints/500",
    ),
    "delta merge": (
        "docs/finetuning.md#checkpoints-on-a-base",
        "t5mix delta merge runs/lora runs/merged",
    ),
    "delta extract": (
        "docs/finetuning.md#checkpoints-on-a-base",
        "t5mix delta extract runs/bank runs/qa --task demo_qa",
    ),
    "sweep": (
        "docs/sweeps.md",
        "t5mix sweep table10 scale=tiny --dry-run",
        "t5mix sweep table10 scale=demo 'seeds=[0,1,2]' --jobs 2",
    ),
    "report": (
        "docs/sweeps.md",
        "t5mix report sweeps/table10-tiny",
    ),
    "vocab": (
        "docs/tasks.md",
        "t5mix vocab train reviews.tsv ende.jsonl --output mine.model --size 8192",
    ),
    "vocab train": (
        "docs/tasks.md",
        "t5mix vocab train reviews.tsv ende.jsonl --output mine.model --size 8192",
    ),
}
"""The page to read, and examples, by the words of a command."""


def examples_of(prog: str) -> str:
    """Returns the last lines of the help of `t5mix COMMAND` or `t5mix COMMAND VERB`."""
    page, *examples = EXAMPLES[prog.removeprefix("t5mix ")]
    heading = "examples:" if len(examples) > 1 else "example:"
    return "\n".join([heading, *(f"  {example}" for example in examples), "", f"Read on: {page}"])
