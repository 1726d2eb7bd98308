"""The arguments of the commands."""

import argparse
from typing import Any, get_args

from t5mix import __version__
from t5mix.cli.arguments import CommandParser
from t5mix.cli.completion import SHELLS, completion_script
from t5mix.cli.examples import ALL_COMMANDS, examples_of
from t5mix.cli.generation_options import add_generation_options
from t5mix.cli.whole_numbers import in_memory, not_negative, positive, steps
from t5mix.sources.file_names import Format
from t5mix.yaml_files import packaged_yaml

_FORMATS = get_args(Format)
_RUN = "a run's folder, or one of its checkpoints/STEP"
_CHECKPOINT = "latest, a step, or a task's name for its best one; default: %(default)s"


def build_parser() -> CommandParser:
    """Returns the parser of all commands; each leaves the module that runs it in `module`."""
    parser = CommandParser(
        prog="t5mix",
        description="Train T5 on many tasks at once; choose how they are mixed and how the model is fine-tuned.",
        epilog=ALL_COMMANDS,
    )
    parser.add_argument("--version", action="version", version=f"t5mix {__version__}", help="print the version")
    parser.add_argument(
        "--completion",
        action=_PrintCompletion,
        choices=SHELLS,
        help="print a script for completion in a shell",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _train(commands)
    _evaluate(commands)
    _predict(commands)
    _tasks(commands)
    _mixtures(commands)
    _curves(commands)
    _policy(commands)
    _import(commands)
    _export(commands)
    _delta(commands)
    _sweep(commands)
    _report(commands)
    _vocabulary(commands)
    return parser


class _PrintCompletion(argparse.Action):
    """Prints the script and ends, as --version does."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        print(completion_script(parser, values), end="")
        parser.exit()


def _add(commands: argparse._SubParsersAction, name: str, module: str, text: str) -> CommandParser:
    command = _verb(commands, name, text)
    command.set_defaults(module=f"t5mix.cli.{module}")
    return command


def _verb(commands: argparse._SubParsersAction, name: str, text: str) -> CommandParser:
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.epilog = examples_of(command.prog)
    return command


def _configuration(command: argparse.ArgumentParser, *, overrides: bool = True) -> None:
    names = [name for name in packaged_yaml("t5mix.config", "experiments") if name != "experiment"]
    command.add_argument(
        "--config",
        default="experiment",
        metavar="NAME|FILE.yaml",
        help=f"a configuration of the package ({', '.join(names)}) or a file of your own; default: %(default)s, the "
        "defaults that all of them begin with",
    )
    if not overrides:
        return
    command.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="settings, such as training.steps=500, and choices from groups, such as mixing=temperature",
    )


def _train(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "train", "train", "train an experiment, or continue it where it was stopped")
    _configuration(command)
    command.add_argument("--show", action="store_true", help="print the resolved configuration and stop")


def _evaluate(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "eval", "evaluate", "score a run's model: loss, and generated text by each task's metrics")
    command.add_argument("run", metavar="RUN", help="the run's folder")
    command.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="where data lies now, such as tasks.sst2.files.test=new.tsv; default: where it lay in training",
    )
    command.add_argument("--checkpoint", default="latest", help=_CHECKPOINT)
    command.add_argument("--split", default="validation", help="the split to score; default: %(default)s")
    command.add_argument(
        "--tasks", nargs="+", default=[], metavar="TASK", help="only these; default: all that have the split"
    )
    _base(command)
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _predict(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "predict", "predict", "answer lines, the rows of files, or a task's inputs")
    command.add_argument("run", metavar="RUN", help=_RUN)
    command.add_argument("--checkpoint", default="latest", help=_CHECKPOINT)
    command.add_argument(
        "--input",
        metavar="FILE",
        help="one input a line; with --inputs a file with fields, such as CSV or JSON; a URL, a pattern for several in "
        "quotes, or a data set's folder; default: the standard input",
    )
    command.add_argument(
        "--inputs",
        metavar="TEMPLATE",
        help='what to make of the fields of --input, such as "sst2 sentence: {sentence}"; default: each line as it is',
    )
    command.add_argument(
        "--format", choices=_FORMATS, metavar="FORMAT", help=f"of --input: {', '.join(_FORMATS)}; default: its name's"
    )
    command.add_argument(
        "--delimiter", metavar="CHARACTER", help="between the values of TSV and CSV; default: a tab, a comma"
    )
    command.add_argument(
        "--quoting",
        action=argparse.BooleanOptionalAction,
        help="whether the values of TSV and CSV may be in quotes; default: those of CSV",
    )
    command.add_argument(
        "--output",
        default="-",
        metavar="FILE",
        help="one answer a line; the same command continues one that was interrupted; default: %(default)s, the "
        "standard output",
    )
    command.add_argument("--task", help="answer the inputs of this task; default: those of --input")
    command.add_argument("--split", default="test", help="of --task or of a data set; default: %(default)s")
    command.add_argument("--bank", metavar="TASK", help="whose module of a bank answers; default: that of --task")
    _base(command)
    command.add_argument("--json", action="store_true", help="JSON Lines with input and prediction")
    command.add_argument(
        "--scores", action="store_true", help="with --json: the log-likelihood of each answer, and its tokens"
    )
    command.add_argument(
        "--batch-size", type=in_memory, default=64, metavar="N", help="inputs answered at once; default: %(default)s"
    )
    command.add_argument(
        "--max-length",
        type=in_memory,
        metavar="N",
        help="most tokens of an answer; default: those of the run's targets",
    )
    command.add_argument(
        "--max-input-length",
        type=in_memory,
        metavar="N",
        help="most tokens of an input, longer ones are cut; default: those of the run's inputs",
    )
    add_generation_options(command, not_negative)


def _tasks(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "tasks", "tasks", "list the tasks, or show what the model will see of one")
    verbs = _listing(command, "tasks", "[show|check TASK]")
    show = _assumed(verbs, "show", "show examples of a task: text, tokens, lengths, truncation")
    show.add_argument("show", metavar="TASK", help="a registered task, or one that the configuration declares")
    _configuration(show)
    show.add_argument("--split", default="train", help="the split to show; default: %(default)s")
    show.add_argument(
        "--examples", type=positive, default=3, metavar="N", help="how many to show; default: %(default)s"
    )
    show.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    check = _verb(verbs, "check", "read all rows of tasks, and say what a perfect model would score")
    check.set_defaults(module="t5mix.cli.check")
    check.add_argument(
        "check", nargs="+", metavar="TASK|KEY=VALUE", help="registered tasks or declared ones, and settings"
    )
    _configuration(check, overrides=False)
    check.add_argument("--split", metavar="NAME", help="the split to check; default: all")
    check.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def _mixtures(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "mixtures", "mixtures", "list the mixtures, or show what one will draw")
    verbs = _listing(command, "mixtures", "[show NAME]")
    show = _assumed(verbs, "show", "show sizes, rates, proportions; expected examples, tokens and epochs")
    show.add_argument("show", metavar="NAME", help="a mixture, a task, or several joined by commas")
    _configuration(show)
    show.add_argument(
        "--mixing",
        action="append",
        default=[],
        metavar="KIND[:KEY=VALUE,...]",
        help="a strategy to show, such as temperature:temperature=4,max_examples=65536; repeat it to compare several; "
        "default: the experiment's own",
    )
    show.add_argument("--steps", type=steps, metavar="N", help="of the run to forecast; default: training.steps")
    show.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    show.add_argument("--plot", metavar="FILE", help="draw it too, as .png, .svg or .pdf; default: no picture")


def _curves(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "curves", "curves", "show and draw how runs went, or go: losses, mixing, epochs")
    command.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder")
    command.add_argument(
        "--out",
        metavar="FILE",
        help="the picture, .png, .svg or .pdf, which replaces what is there; default: curves.png in the run's folder, "
        "for several runs in this one, or curves-2.png and so on where that is taken",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _policy(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "policy", "policy", "list the fine-tuning policies, or show what one trains and costs")
    verbs = _listing(command, "policies", "[show KIND]")
    show = _assumed(verbs, "show", "show what of each module trains when, optimizer state, operations and memory")
    show.add_argument("show", metavar="KIND", help="the policy; its settings are given as finetuning.NAME=VALUE")
    _configuration(show)
    show.add_argument("--compile", action="store_true", help="compile the steps too, and count activations")
    show.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def _import(commands: argparse._SubParsersAction) -> None:
    command = _add(
        commands,
        "import",
        "import_",
        "make a checkpoint of Transformers, T5X or Mesh TensorFlow one that runs start from",
    )
    command.add_argument("source", metavar="FROM", help="its folder")
    command.add_argument("out", metavar="TO", help="a folder that does not exist yet")
    command.add_argument(
        "--vocabulary",
        metavar="FILE",
        help="a SentencePiece model, or bytes; default: what FROM holds",
    )
    command.add_argument(
        "--extra-ids",
        type=not_negative,
        default=100,
        metavar="N",
        help="sentinels that are added to it; default: %(default)s",
    )
    command.add_argument("--dry-run", action="store_true", help="say what FROM holds, and stop")
    command.add_argument("--json", action="store_true", help="with --dry-run: print JSON instead of a table")


def _export(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "export", "export", "write a trained model for Transformers, PEFT or T5X")
    command.add_argument("run", metavar="RUN", help=_RUN)
    command.add_argument("out", metavar="TO", help="a folder that does not exist yet")
    command.add_argument(
        "--format", choices=("huggingface", "peft", "t5x"), default="huggingface", help="default: %(default)s"
    )
    command.add_argument(
        "--dtype",
        choices=("float32", "bfloat16", "float16"),
        default="float32",
        help="the type of the weights; default: %(default)s",
    )
    command.add_argument("--task", help="the task of a bank; only a bank needs one")
    _base(command)


def _delta(commands: argparse._SubParsersAction) -> None:
    command = _add(
        commands, "delta", "delta", "inspect checkpoints on a base, merge one, or extract a task from a bank"
    )
    verbs = command.add_subparsers(title="commands", metavar="COMMAND", dest="verb", required=True)
    show = _verb(verbs, "show", "show what checkpoints hold, and on which base")
    show.add_argument("runs", nargs="+", metavar="RUN", help=_RUN)
    show.add_argument("--json", action="store_true", help="print JSON")
    merge = _verb(verbs, "merge", "write the plain model that computes what an adapted one does (lora, ia3)")
    extract = _verb(verbs, "extract", "write one task's modules of a bank as a checkpoint of their own")
    for verb in (merge, extract):
        verb.add_argument("run", metavar="RUN", help=_RUN)
        verb.add_argument("out", metavar="OUT", help="a folder that does not exist yet")
        verb.add_argument("--task", required=verb is extract, help="the task of a bank; only a bank needs one")
        _base(verb)


def _sweep(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "sweep", "sweep", "run a comparison of methods, or continue it where it was stopped")
    names = ", ".join(packaged_yaml("t5mix.sweep", "presets"))
    command.add_argument("sweep", metavar="NAME|FILE.yaml", help=f"one of the package ({names}) or a file")
    command.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="scale=NAME, one of the file's scales; a field of the file, such as seeds=[0,1]; or a setting of all "
        "runs, such as training.steps=50",
    )
    command.add_argument("--out", metavar="DIR", help="the results' folder; default: sweeps/NAME-SCALE")
    command.add_argument("--dry-run", action="store_true", help="show what would run, and stop")
    command.add_argument("--json", action="store_true", help="with --dry-run: print JSON instead of a table")
    command.add_argument(
        "--executor",
        choices=("local", "ray", "slurm", "submitit-local"),
        default="local",
        help="where the runs' processes run; default: %(default)s",
    )
    command.add_argument("--jobs", type=positive, metavar="N", help="the most runs at once; default: as many as fit")
    command.add_argument(
        "--cores", type=positive, metavar="N", help="cores of each run on a CPU; default: a quarter of those there are"
    )
    command.add_argument(
        "--gpus", type=not_negative, default=0, metavar="N", help="GPUs of each run on a cluster; default: %(default)s"
    )
    command.add_argument(
        "--retries", type=not_negative, default=2, metavar="N", help="of a run that failed; default: %(default)s"
    )
    command.add_argument("--address", help="of a Ray cluster, such as auto; default: one is started here")
    command.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of submitit, such as slurm_partition=long; repeat it for several; default: submitit's own",
    )


def _report(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "report", "report", "write a sweep's results as a page, with plots and tables")
    command.add_argument("directory", metavar="DIR", help="the results' folder")
    command.add_argument("--out", metavar="DIR", help="the report's folder; default: DIR/report")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _base(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--base", metavar="RUN", help="where the checkpoint's base lies now, if it was moved; default: where it lay"
    )


def _listing(command: CommandParser, noun: str, metavar: str) -> argparse._SubParsersAction:
    """Makes a command list things, and returns the verbs that do something with one of them."""
    command.set_defaults(show=None, config="experiment", overrides=[], json=False)
    command.add_argument(
        "--plugins",
        nargs="+",
        default=[],
        metavar="MODULE",
        help=f"modules that register {noun}, for the list; default: none",
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    return command.add_subparsers(title="commands", metavar=metavar)


def _assumed(commands: argparse._SubParsersAction, name: str, text: str) -> CommandParser:
    """Makes a verb that need not be written."""
    commands.assumed = name  # type: ignore[attr-defined]
    return _verb(commands, name, text)


def _vocabulary(commands: argparse._SubParsersAction) -> None:
    command = _add(commands, "vocab", "vocabulary", "train a SentencePiece vocabulary")
    verbs = command.add_subparsers(title="commands", metavar="train", required=True)
    train = _assumed(verbs, "train", "train a vocabulary on text, TSV, CSV, JSON or Parquet files")
    train.add_argument("files", nargs="+", metavar="FILE", help="what to train on; the ending tells the format")
    train.add_argument("--output", required=True, metavar="FILE.model", help="the vocabulary to write")
    train.add_argument(
        "--size", type=positive, default=8192, metavar="N", help="ids in all, sentinels included; default: %(default)s"
    )
    train.add_argument(
        "--extra-ids", type=not_negative, default=100, metavar="N", help="sentinels; default: %(default)s"
    )
    train.add_argument(
        "--fields",
        nargs="+",
        default=[],
        metavar="FIELD",
        help="of files that have fields; default: all that hold text",
    )
    train.add_argument(
        "--format",
        choices=get_args(Format),
        metavar="FORMAT",
        help=f"of the files: {', '.join(get_args(Format))}; default: what each name says, else text",
    )
