"""The documentation is true: links lead somewhere, settings exist, commands are accepted up to where work begins."""

import argparse
import ast
import contextlib
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from t5mix.cli.main import main
from t5mix.cli.parser import build_parser
from t5mix.evaluation.predictions import Prediction
from t5mix.finetuning import POLICIES
from t5mix.metrics.example_scores import TaskEvaluation
from t5mix.mixing import STRATEGIES
from tests.support.documented_commands import lines_to_run, prepare_folder, run_line

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
GUIDES = [page for page in PAGES if page.name != "report.md"]  # reports are written by t5mix
FOR_REAL_NAMES = ("tasks", "metrics", "training", "mixing", "finetuning", "checkpoints", "sweeps")
FOR_REAL = [README, *(ROOT / f"docs/{name}.md" for name in FOR_REAL_NAMES)]
QUICKSTART = ROOT / "scripts/quickstart_report.py"
CONFIGURATIONS = [
    *sorted((ROOT / "t5mix/config/experiments").glob("*.yaml")),
    *sorted((ROOT / "t5mix/sweep/presets").glob("*.yaml")),
]

OLD_KEYS = re.compile(
    r"training\.(rows|accumulation|keep|clip_norm|lookahead)\b|schedule\.end\b|scale_by_parameter\b"
    r"|mixing\.(first|last|until|large|limit)\b|[:({ ]limit[=:]|finetuning=(norms|pattern)\b|kind: (norms|pattern)\b"
    r"|seeded_before|than_on|each_task|^ *(before|fresh|alone):|'before=|data\.lock|lock\.json",
    re.MULTILINE,
)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(page: Path) -> list[tuple[str, str]]:
    """The language and the text of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path):
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def commands_with_json(parser: argparse.ArgumentParser, name: str = "t5mix") -> Iterator[str]:
    for action in parser._actions:
        if "--json" in action.option_strings:
            yield name
        if isinstance(action, argparse._SubParsersAction):
            for word, command in action.choices.items():
                yield from commands_with_json(command, f"{name} {word}")


def test_the_json_of_every_command_is_described():
    described = set(re.findall(r"^\| `(t5mix [a-z ]*)", (ROOT / "docs/output.md").read_text("utf-8"), re.MULTILINE))
    assert {name.strip() for name in described} == set(commands_with_json(build_parser()))


def test_every_decision_is_in_the_index():
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    decisions = sorted((ROOT / "docs/decisions").glob("0*.md"))
    assert [page.name for page in decisions if f"({page.name})" not in index] == []
    titles = [page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for page in decisions]
    assert [title for title in titles if title not in index] == []


@pytest.mark.parametrize("page", [*GUIDES, *CONFIGURATIONS], ids=name_of)
def test_no_page_has_a_setting_of_old(page: Path):
    assert [match[0] for match in OLD_KEYS.finditer(page.read_text(encoding="utf-8"))] == []


def commands(block: str) -> Iterator[list[str]]:
    """Yields the command lines of a block, as a shell would split them; each part of a pipe is one."""
    for line in block.replace("\\\n", " ").splitlines():
        if not re.search(r"t5mix |cp -r|scripts/", line):
            continue  # what a command prints, or what the documentation does not vouch for
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|>")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, "|"]:
            if word in ("|", ">"):
                if command:
                    yield command
                command = []
            else:
                command.append(word)


def arguments_of(command: list[str]) -> list[str] | None:
    """The arguments of t5mix, of a command that starts it; None of any other."""
    if command[0] == "scripts/train_multihost.sh":
        return ["train", *command[2:]]
    return command[command.index("t5mix") + 1 :] if command[0] in ("t5mix", "srun") else None


def parse(arguments: list[str]) -> Any:
    options, rest = build_parser().parse_known_args(arguments)
    assert not rest or (hasattr(options, "overrides") and not any(word.startswith("-") for word in rest)), rest
    return options


def short_commands(page: Path) -> Iterator[list[str]]:
    """Yields the commands that have settings in a page's text, a configuration's comments, or what a script prints."""
    if page.suffix != ".md":
        text = page.read_text(encoding="utf-8").replace("{run}", "runs/quickstart")
        lines = re.findall(r"^(?:#   |  )(t5mix .*?)(?: {2,}.*)?$", text, re.MULTILINE)
    else:
        lines = re.findall(r"`(t5mix [^`]*=[^`]*)`", prose(page))
    for line in lines:
        yield from commands(line.replace("\n", " "))


class Workshop:
    """Runs commands up to where their work begins, in a folder with the files of a page.

    Attributes:
        runs: what each run's folder holds: the experiment, but for settings that a resumed run may change.
        folders: the folders that commands of the page have made.
        tracks: whether the folders that a command reads must have been made by the ones before it.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.folders = {"flan-t5-small", "t5.1.1.small/checkpoint_1000000"}  # which a reader has downloaded
        self.tracks = True
        (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
        monkeypatch.chdir(folder)
        monkeypatch.setenv("JAX_PLATFORMS", "cpu")
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr("t5mix.runs.train.train_experiment", self.train)
        monkeypatch.setattr("t5mix.data.prepare_client.early_preparation", lambda **_: contextlib.nullcontext())
        monkeypatch.setattr("t5mix.sweep.cluster_executors.check_executor", lambda name: None)
        monkeypatch.setattr("t5mix.sweep.plan.SweepPlanner._check", lambda *arguments, **options: None)
        monkeypatch.setattr("t5mix.sweep.plan.plan_trials", self.sweep)
        for work in ("data.prepare_client.prepare_in_subprocess", "runs.policy_report.report_policy"):
            monkeypatch.setattr(f"t5mix.{work}", self.begin)
        monkeypatch.setattr("t5mix.cache.inspection.inspect_task", self.begin)
        monkeypatch.setattr("t5mix.cache.request_checks.check_request", lambda request: {})  # files are not there

    def begin(self, *arguments: Any, **options: Any) -> Any:
        raise WorkBeginsError

    def train(self, experiment: Any) -> Any:
        settings = experiment.to_json()
        if experiment.start_from is not None:
            self.require(experiment.start_from)
        for key in ("references", "reference"):
            if isinstance(folder := settings["mixing"].get(key), str):
                self.require(folder)
        for key in ("mesh", "distributed", "store_dir", "evaluation"):
            del settings[key]
        assert not self.tracks or self.runs.setdefault(experiment.run_dir, settings) == settings, (
            f"two runs in {experiment.run_dir}"
        )
        experiment.mixing.check_steps(experiment.training.steps)
        self.folders.add(experiment.run_dir)
        run_dir = Path(experiment.run_dir)
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / "mixing_weights.json").write_text('{"weights": {"demo_qa": 1}}', encoding="utf-8")
        (run_dir / "result.json").write_text('{"best": {"demo_qa": {"loss": 1.0}}}', encoding="utf-8")
        raise WorkBeginsError

    def sweep(self, planner: Any) -> Any:
        variant = next(iter(planner.sweep.variants.values()))  # tests/sweep plan all of them
        planner.trials(variant, planner.sweep.seeds[0], variant.middle_rate)
        if planner.sweep.start_from is not None and "/checkpoints/" not in planner.sweep.start_from:
            self.require(planner.sweep.start_from)
        raise WorkBeginsError

    def require(self, folder: str) -> None:
        assert folder in self.folders or not self.tracks, f"no command before this one makes {folder}"

    def run(self, arguments: list[str]) -> None:
        options = parse(arguments)
        if options.module.endswith((".train", ".sweep")) or getattr(options, "show", None) is not None:
            with contextlib.suppress(WorkBeginsError):
                assert main(arguments) == 0
            if options.module.endswith(".sweep"):
                scale = [word.partition("=")[2] for word in options.overrides if word.startswith("scale=")]
                self.folders.add(options.out or "-".join([f"sweeps/{options.sweep}", *scale]))
            return
        needed = (getattr(options, key, None) for key in ("run", "directory", "base", "source"))
        for folder in [*getattr(options, "runs", ()), *filter(None, needed)]:
            self.require(folder)
        if options.module.endswith((".delta", ".export", ".import_")) and hasattr(options, "out"):
            Path(options.out).mkdir(parents=True, exist_ok=True)
            self.folders.add(options.out)


class WorkBeginsError(Exception):
    """A command has come to its work."""


def write_files(page: Path) -> list[str]:
    """Writes the blocks that begin with a file's name, `# mine.yaml`; returns the names of modules."""
    modules = []
    for language, text in blocks(page):
        if match := re.match(r"# (\w+\.(?:yaml|py))\n", text):
            Path(match[1]).write_text(text, encoding="utf-8")
            modules += [Path(match[1]).stem] if language == "python" else []
    return modules


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """A place to run a page's commands in; what its modules register is forgotten afterwards."""
    for registry in (STRATEGIES, POLICIES):
        monkeypatch.setattr(registry, "_classes", dict(registry._classes))
    yield Workshop(tmp_path, monkeypatch)
    for name in ("mine", "worst"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "page", [page for page in GUIDES if any("t5mix " in text for _, text in blocks(page))], ids=name_of
)
def test_the_commands_of_a_page_work(page: Path, workshop: Workshop):
    write_files(README)
    write_files(page)
    for language, block in blocks(page):
        for command in commands(block) if language == "" else ():
            if command[0] == "cp" and command[1] == "-r":
                workshop.require(command[2])
                workshop.folders.add(command[3])
            if (arguments := arguments_of(command)) is not None:
                workshop.run(arguments)


@pytest.mark.parametrize(
    "page", [page for page in [*GUIDES, *CONFIGURATIONS, QUICKSTART] if any(short_commands(page))], ids=name_of
)
def test_commands_in_text_and_comments_work(page: Path, workshop: Workshop):
    write_files(README)
    own = re.sub(r".*\bmixing:.*\n", "", Path("mine.yaml").read_text(encoding="utf-8"))
    Path("FILE.yaml").write_text(own, encoding="utf-8")  # which the comments of sweeps speak of
    workshop.tracks = False
    for command in short_commands(page):
        workshop.run(command[1:])


def test_the_quickstart_prints_commands_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    runpy.run_path(str(QUICKSTART))["print_next"](Path("runs/of_a_long_name/quickstart"))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "t5mix train" in line]
    assert line.endswith("start_from=runs/of_a_long_name/quickstart_pretrain")


def test_the_quickstart_shows_scores_and_answers(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    question = "demo_sentiment sentence: " + "It was lovely. " * 10
    given = ["positive"] * 90 + ["negative"] * 10
    predictions = [Prediction(index, question, "positive", answer) for index, answer in enumerate(given)]
    reference = SimpleNamespace(headline_metric="accuracy", majority=51.25, ceiling=100.0)
    demo = SimpleNamespace(REFERENCE={"demo_sentiment": reference})
    monkeypatch.setitem(sys.modules, "t5mix.tasks.demo", demo)  # type: ignore[arg-type]
    script = runpy.run_path(str(QUICKSTART))["main"]
    found = {
        "evaluate_run": lambda run, split: {"demo_sentiment": TaskEvaluation({"accuracy": 90.0})},
        "checkpoint_of": lambda run, which: run / "checkpoints" / "7",
        "read_predictions": lambda path: predictions,
    }
    script.__globals__.update(found)
    monkeypatch.setattr(sys, "argv", ["quickstart_report.py", "runs/quickstart"])
    script()
    title, headings, _, row, summary, _, *answers = capsys.readouterr().out.splitlines()
    assert title == "Validation scores of the demo's ten tasks (0 to 100)"
    assert headings.split() == ["task", "metric", "majority", "score", "2", "s.e.", "ceiling"]
    task, metric, majority, score, error, ceiling, above = row.split()
    assert (task, metric, majority, score, ceiling, above) == (
        "demo_sentiment",
        "accuracy",
        "51.2",
        "90.0",
        "100",
        "above",
    )
    assert 5 < float(error) < 8
    assert summary.startswith("1 of 1 tasks are above the best constant answer")
    assert answers[0] == f"demo_sentiment  {question}"  # on one line, however long
    assert re.fullmatch(r"  [=!] (positive|negative)   \(target: positive\)", answers[1])


def epilogs(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yields the last lines of the help of a command and of its own commands, where it has some."""
    if parser.epilog:
        yield parser.prog, parser.epilog
    for action in parser._actions:
        for command in action.choices.values() if isinstance(action, argparse._SubParsersAction) else ():
            yield from epilogs(command)


def example_lines(epilog: str) -> list[str]:
    """The command lines of a help text's end, without what explains them."""
    return re.findall(r"^  ((?:echo .*)?t5mix .*?)(?: {2,}.*)?$", epilog, re.MULTILINE)


@pytest.mark.parametrize(("command", "epilog"), [pytest.param(*each, id=each[0]) for each in epilogs(build_parser())])
def test_the_commands_of_help_texts_work(command: str, epilog: str, workshop: Workshop):
    workshop.tracks = command == "t5mix"  # whose examples are one sequence; those of a command use runs of other pages
    lines = example_lines(epilog)
    assert lines
    for line in lines:
        for words in commands(line):
            if (arguments := arguments_of(words)) is not None:
                workshop.run(arguments)


@pytest.mark.slow
@pytest.mark.parametrize("page", FOR_REAL, ids=name_of)
def test_the_commands_of_a_page_run_to_their_end(
    page: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    environment = prepare_folder(tmp_path, tmp_path_factory.getbasetemp() / "documented_stores")
    write_files(README)  # pages build on its mine.yaml, and on the vocabulary that it makes
    write_files(page)
    before = lines_to_run(README.read_text(encoding="utf-8")) if page != README else ()
    first = [line for line in before if line.startswith("t5mix vocab train")]
    lines = list(lines_to_run(page.read_text(encoding="utf-8")))
    assert lines
    for line in [*first, *lines]:
        run_line(line, tmp_path, environment)


@pytest.mark.slow
def test_the_python_of_the_guide_runs(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    """With a model of its own in the place of a published one, and few steps."""
    monkeypatch.chdir(tmp_path)
    environment = prepare_folder(tmp_path, tmp_path_factory.getbasetemp() / "documented_stores")
    write_files(README)
    for line in (
        "t5mix vocab train reviews.tsv ende.jsonl --output mine.model --size 8192",
        "t5mix train --config mine.yaml",
        "t5mix export runs/mine published",
    ):
        run_line(line, tmp_path, environment)
    (program,) = (text for language, text in blocks(ROOT / "docs/python.md") if language == "python")
    program = program.replace("google/flan-t5-small", "published")
    program = program.replace('"finetuning=lora"', '"finetuning=lora", "training.steps=4", "training.batch_size=4"')
    Path("program.py").write_text(program, encoding="utf-8")
    run_line(f"{sys.executable} program.py", tmp_path, environment)


@pytest.mark.slow
def test_the_examples_of_help_texts_run_to_their_end(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    environment = prepare_folder(tmp_path, tmp_path_factory.getbasetemp() / "documented_stores")
    bank = "finetuning=per_task finetuning.policy=lora"
    write_files(README)
    runs_of_pages = [
        "t5mix vocab train reviews.tsv ende.jsonl --output mine.model --size 8192",
        "t5mix train --config mine.yaml",
        "t5mix train --config demo",
        "t5mix train --config demo start_from=runs/demo run_dir=runs/lora finetuning=lora",
        f"t5mix train --config demo start_from=runs/demo run_dir=runs/bank {bank}",
        "t5mix export runs/demo flan-t5-small",
    ]
    examples = [line for _, epilog in epilogs(build_parser()) for line in example_lines(epilog)]
    assert len(examples) > 40
    for line in dict.fromkeys([*runs_of_pages, *examples]):
        run_line(line, tmp_path, environment)


@pytest.mark.parametrize("page", [page for page in GUIDES if any(blocks(page))], ids=name_of)
def test_python_blocks_import_what_is_there(page: Path):
    for language, text in blocks(page):
        for node in ast.walk(ast.parse(text)) if language == "python" else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("t5mix"):
                path = ROOT / (node.module or "").replace(".", "/")
                source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
                for name in (alias.name for alias in node.names):
                    there = re.search(rf"\b{name}\b", source.read_text(encoding="utf-8"))
                    assert there or (path / f"{name}.py").exists(), f"{node.module} has no {name}"
