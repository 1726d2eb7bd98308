"""Made-up declarations and files: a clear error or a right result, never another exception."""

import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t5mix.errors import T5MixError
from t5mix.sources.declaration import TaskDeclaration, plain_declaration, task_declaration

hypothesis = pytest.importorskip("hypothesis")
pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
ipc = pytest.importorskip("pyarrow.ipc")
zstandard = pytest.importorskip("zstandard")
st = hypothesis.strategies

FIELDS = ["text", "label", "#1 String", "a.b"]
MARKS = ["\t", ",", '"', "\r", "\n", "\ufeff", "\x00", "\u2028", "{", "}", "\\ud83d", "[", "]", "|||", "= a ="]
PLAIN = ["0", "1", "-1", "1.0", "yes", "no", "true", "nan", "good", "bad"]
FORMATS = ["tsv", "csv", "jsonl", "json", "txt", "parquet", "arrow"]
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}

words = st.one_of(st.sampled_from([*MARKS, *FIELDS, *PLAIN]), st.text(max_size=6))
texts = st.lists(words, max_size=4).map("".join)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
values = st.one_of(
    st.sampled_from(PLAIN),
    st.sampled_from(PLAIN),
    texts,
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(texts, scalars, max_size=3),
)


def bytes_of(rows: list[dict[str, Any]], format: str) -> bytes:
    """A file with some rows, which may break the rules of its format."""
    names = list(rows[0]) if rows else []
    out = io.BytesIO()
    match format:
        case "csv":
            text = io.StringIO(newline="")
            csv.writer(text).writerows([names, *([*row.values()] for row in rows)])
            return text.getvalue().encode("utf-8", "surrogatepass")
        case "tsv" | "txt":
            lines = [names, *([*map(str, row.values())] for row in rows)]
            return "\n".join(map("\t".join, lines)).encode("utf-8", "surrogatepass")
        case "json":
            return json.dumps(rows).encode()
        case "jsonl":
            return "\n".join(map(json.dumps, rows)).encode()
    try:
        table = pa.table({name: [row.get(name) for row in rows] for name in names})
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError):  # mixed kinds of values
        table = pa.table(
            {name: [str(row.get(name)).encode("utf-8", "surrogatepass") for row in rows] for name in names}
        )
    with contextlib.suppress(pa.ArrowNotImplementedError):  # objects without fields
        if format == "parquet":
            parquet.write_table(table, out)
        else:
            with ipc.new_file(out, table.schema) as writer:
                writer.write_table(table)
    return out.getvalue()


def file_of(rows: list[dict[str, Any]], format: str, packing: str, cut: int) -> tuple[str, bytes]:
    """The ending and the content of a file, which may be cut short."""
    content = PACK[packing](bytes_of(rows, format))
    return f".{format}{packing}", content[: len(content) - cut]


rows = st.lists(
    st.fixed_dictionaries({"text": values, "label": values}, optional={"#1 String": texts, "a.b": values}),
    min_size=1,
    max_size=4,
)
files = st.one_of(
    st.builds(file_of, rows, st.sampled_from(FORMATS), st.sampled_from([*PACK]), st.sampled_from([0, 0, 0, 1, 5])),
    st.builds(file_of, rows, st.sampled_from(FORMATS), st.just(""), st.just(0)),
    st.tuples(
        st.sampled_from(
            [".tsv", ".csv", ".jsonl", ".json", ".txt", ".parquet", ".arrow", ".tsv.gz", ".json.zst", ".de"]
        ),
        st.one_of(st.binary(max_size=40), texts.map(lambda text: text.encode("utf-8", "surrogatepass"))),
    ),
)
inputs = st.one_of(
    st.just("{text}"),
    st.sampled_from(["say {text} %s", "{#1 String}: {a.b}", "{{{text}}}", "{", "{}", "text", "{inputs}"]),
    values,
)
labels = st.dictionaries(st.one_of(scalars, st.sampled_from([0, 1, *PLAIN])), st.one_of(texts, scalars), max_size=5)
rare = {
    "targets": st.one_of(st.sampled_from(["label", "targets", "a.b", "{label}", "{label} {text}"]), values),
    "labels": st.one_of(labels, values),
    "answers": st.one_of(st.sampled_from(FIELDS), values),
    "no_answer": texts,
    "format": st.one_of(st.sampled_from([*FORMATS, "text"]), values),
    "objective": st.sampled_from(["lm", "span_corruption", "x", None]),
    "field": texts,
    "documents": st.sampled_from(["lines", "paragraphs", "articles", "line"]),
    "delimiter": st.sampled_from([",", ";", "\t", "ab", "", '"', "é", None]),
    "quoting": st.sampled_from([True, False, None, "yes", 3]),
    "metrics": values,
    "inputz": values,
}
settings = st.one_of(
    st.fixed_dictionaries({"inputs": st.just("{text}"), "targets": st.just("label")}),
    st.fixed_dictionaries({"inputs": inputs, "targets": st.just("label")}, optional={"labels": labels}),
    st.fixed_dictionaries({"inputs": inputs, "answers": st.sampled_from(FIELDS)}, optional={"no_answer": texts}),
    st.fixed_dictionaries({"objective": st.just("lm")}, optional={key: rare[key] for key in ("field", "documents")}),
    st.fixed_dictionaries({"inputs": inputs}, optional=rare),
)


def named_files(kind: str, first: Path, second: Path, junk: Any) -> Any:
    """What a declaration names as the files of a split."""
    one, other = str(first), str(second)
    return {
        "one": one,
        "both": [one, other],
        "pattern": str(first.parent / "file*"),
        "parallel": {"inputs": one, "targets": [other]},
        "inputs": {"inputs": one},
        "missing": one + "x.tsv",
        "data set": {"dataset": "./nowhere", "split": junk},
        "junk": junk,
    }[kind]


def read_all(raw: dict[str, Any]) -> None:
    """Reads all that a declaration names, and looks at what comes out."""
    task = task_declaration("t", json.loads(json.dumps(plain_declaration("t", raw), sort_keys=True, default=str)))
    task.check_beginning()
    failed = None
    try:
        task.check(["train"])
    except T5MixError as error:
        failed = error
    for named in task.files.values():
        try:
            examples = list(task.examples(named))
        except T5MixError:
            assert failed is not None or named is not task.files["train"]
            continue
        assert failed is None or named is not task.files["train"]
        for example in examples:
            for text in (*(value for value in example.values() if isinstance(value, str)), *example.get("answers", ())):
                assert text == text.encode("utf-8").decode("utf-8")
            if task.objective is None:
                assert example.keys() >= {"inputs", "targets"}
                assert task.labels is None or example["targets"] in task.choices()
                assert "answers" not in example or example["targets"] == example["answers"][0]
        inputs = list(task.inputs_only(named))
        assert task.objective or inputs == [{"inputs": example["inputs"]} for example in examples]
    for split in task.files:
        task.has_targets(split)


def attempt(parts: list[tuple[str, bytes]], kind: str, raw: dict[str, Any], junk: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"file{number}{ending}") for number, (ending, _) in enumerate(parts)]
        for path, (_, content) in zip(paths, parts, strict=True):
            path.write_bytes(content)
        splits = {"train": named_files(kind, *paths, junk), "test": str(paths[1])}
        with contextlib.suppress(T5MixError):
            read_all({"files": splits, **raw})


one_attempt = hypothesis.given(
    st.lists(files, min_size=2, max_size=2),
    st.sampled_from(["one", "one", "one", "both", "pattern", "parallel", "inputs", "missing", "data set", "junk"]),
    settings,
    values,
)


def bounded(count: int, test: Callable[..., None]) -> Callable[[], None]:
    """A test with a number of examples, the same ones each time."""
    return hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )(test)


def test_a_clear_error_or_a_result():
    bounded(200, one_attempt(attempt))()


@pytest.mark.slow
def test_a_clear_error_or_a_result_ten_thousand_times():
    bounded(10_000, one_attempt(attempt))()


any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
one_line = any_text.map(lambda text: "".join(text.split("\n")).replace("\r", "").replace("\t", ""))


def read_back(pairs: list[tuple[str, str]], lines: list[tuple[str, str]]) -> None:
    """What each format's own writer writes comes back as it was."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = [{"x": x, "y": y} for x, y in pairs]
        out = io.StringIO(newline="")
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows([("x", "y"), *pairs])
        (folder / "a.csv").write_bytes(out.getvalue().encode())
        (folder / "a.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
        (folder / "a.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
        parquet.write_table(pa.Table.from_pylist(records), folder / "a.parquet")
        tsv = "".join(f"{x}\t{y}\n" for x, y in [("x", "y"), *lines])
        (folder / "a.tsv").write_bytes(tsv.encode())
        (folder / "a.tsv.gz").write_bytes(gzip.compress(tsv.encode()))
        formats = {f"a.{ending}": pairs for ending in ("csv", "json", "jsonl", "parquet")}
        for file, expected in [*formats.items(), ("a.tsv", lines), ("a.tsv.gz", lines)]:
            task = TaskDeclaration(files={"train": str(folder / file)}, inputs="{{{x}}}", targets="y")
            read = [(example["inputs"], example["targets"]) for example in task.examples(str(folder / file))]
            assert read == [(f"{{{x}}}", y) for x, y in expected], file


round_trip = hypothesis.given(
    st.lists(st.tuples(any_text, any_text), min_size=1, max_size=5),
    st.lists(st.tuples(one_line, one_line), min_size=1, max_size=5),
)


def test_what_is_written_is_read_back():
    bounded(100, round_trip(read_back))()


@pytest.mark.slow
def test_what_is_written_is_read_back_two_thousand_times():
    bounded(2_000, round_trip(read_back))()
