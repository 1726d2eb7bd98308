"""The declarations under "Formats" in docs/tasks.md read what people have."""

import gzip
import json
import lzma
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from t5mix.sources.declaration import task_declaration

PAGE = (Path(__file__).parents[2] / "docs/tasks.md").read_text(encoding="utf-8")
FORMATS = PAGE.partition("\n## Formats\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", FORMATS, re.MULTILINE | re.DOTALL)
TASKS: dict[str, Any] = {name: raw for block in BLOCKS for name, raw in yaml.safe_load(block).items()}


def mrpc() -> None:
    content = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t7\t8\tHe left.\tHe went.\r\n"
    Path("msr_paraphrase_train.txt").write_bytes(content.encode())


def cola() -> None:
    Path("cola").mkdir()
    Path("cola/train.tsv").write_text("gj04\t0\t*\tThe more we study.\n", encoding="utf-8")


def orders() -> None:
    Path("orders.csv.gz").write_bytes(gzip.compress(b'text;kind\n"one;\ntwo";big\n'))


def squad2() -> None:
    rows = [
        {"question": "who", "context": "Ann.", "answers": {"text": ["Ann", "she"], "answer_start": [0, 0]}},
        {"question": "when", "context": "Ann.", "answers": {"text": [], "answer_start": []}},
    ]
    Path("squad2.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")


def films() -> None:
    pandas = pytest.importorskip("pandas")
    pandas.DataFrame({"review": ["good"], "label": [1]}, index=[5]).to_parquet("films-0.parquet")
    pandas.DataFrame({"review": ["bad"], "label": [0]}).to_feather("films.arrow")


def parallel_text() -> None:
    for name, text in (("train.en", "a dog\nthe sun\n"), ("train.fr", "un chien\nle soleil\n")):
        Path(f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    Path("test.en").write_text("a cat\n", encoding="utf-8")


def wiki() -> None:
    Path("wiki-0.txt.xz").write_bytes(lzma.compress(b" = Lobster = \n \n It is blue .\n = Crab = \n Red .\n"))


def rte() -> None:
    datasets = pytest.importorskip("datasets")
    rows = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [0, 1]}
    names = datasets.ClassLabel(names=["entailment", "not_entailment"])
    data = datasets.Dataset.from_dict(rows).cast_column("label", names)
    datasets.DatasetDict({"train": data, "validation": data}).save_to_disk("rte")


def reviews() -> None:
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/reviews/part-0.tsv.gz", gzip.compress(b"text\tlabel\nfine\tgood\n"))


EXPECTED: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "mrpc": (mrpc, [("mrpc sentence1: He left. sentence2: He went.", "equivalent")]),
    "cola": (cola, [("cola sentence: The more we study.", "unacceptable")]),
    "orders": (orders, [("order: one;\ntwo", "big")]),
    "squad2": (squad2, [("question: who context: Ann.", "Ann"), ("question: when context: Ann.", "unanswerable")]),
    "films": (films, [("film: good", "positive")]),
    "enfr": (
        parallel_text,
        [("translate English to French: a dog", "un chien"), ("translate English to French: the sun", "le soleil")],
    ),
    "fren": (
        parallel_text,
        [("translate French to English: un chien", "a dog"), ("translate French to English: le soleil", "the sun")],
    ),
    "wiki": (wiki, []),
    "rte": (
        rte,
        [("rte sentence1: a sentence2: c", "entailment"), ("rte sentence1: b sentence2: d", "not_entailment")],
    ),
    "reviews": (reviews, [("review: fine", "good")]),
}


def test_every_declaration_is_tried():
    assert TASKS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_documented_declaration_works(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    make_files, expected = EXPECTED[name]
    make_files()
    task = task_declaration(name, TASKS[name])
    task.check_beginning()
    task.check()
    examples = list(task.examples(task.files["train"]))
    if name == "wiki":
        assert examples == [{"text": "= Lobster = It is blue ."}, {"text": "= Crab = Red ."}]
    else:
        assert [(example["inputs"], example["targets"]) for example in examples] == expected
