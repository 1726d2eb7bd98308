"""A small vocabulary and small files, made once for all tests of the data."""

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from t5mix.cache.vocabulary_training import train_vocabulary
from t5mix.data.manifest import DataRequest

_NOUNS = [
    "river",
    "stone",
    "garden",
    "letter",
    "window",
    "doctor",
    "market",
    "engine",
    "forest",
    "candle",
    "bridge",
    "painter",
]
_VERBS = ["opens", "moves", "finds", "carries", "follows", "holds", "paints", "watches", "breaks", "remembers"]
EXTRA_IDS = 40


def sentences(count: int, seed: int = 0) -> list[str]:
    """Returns English-like sentences."""
    draw = random.Random(seed)
    return [
        f"The {draw.choice(_NOUNS)} {draw.choice(_VERBS)} the {draw.choice(_NOUNS)} near the {draw.choice(_NOUNS)}."
        for _ in range(count)
    ]


@pytest.fixture(scope="session")
def vocabulary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece model of 120 pieces."""
    folder = tmp_path_factory.mktemp("vocabulary")
    (folder / "text.txt").write_text("\n".join(sentences(400, seed=9)), encoding="utf-8")
    train_vocabulary([folder / "text.txt"], folder / "small.model", 120 + EXTRA_IDS, extra_ids=EXTRA_IDS)
    return folder / "small.model"


@pytest.fixture
def data_files(tmp_path: Path) -> dict[str, str]:
    """A TSV file with labels, JSON Lines with answers and plain text; each with a validation split."""
    files = {}
    for split, count, seed in (("train", 60, 1), ("validation", 20, 2)):
        texts = sentences(count, seed)
        rows = [f"{text}\t{index % 2}" for index, text in enumerate(texts)]
        files[f"labels_{split}"] = _write(tmp_path / f"labels_{split}.tsv", ["sentence\tlabel", *rows])
        answers = [json.dumps({"question": text, "answers": [text[4:9], "stone"]}) for text in texts]
        files[f"answers_{split}"] = _write(tmp_path / f"answers_{split}.jsonl", answers)
        files[f"text_{split}"] = _write(tmp_path / f"text_{split}.txt", texts)
    return files


def _write(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def declared(data_files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """One declared task of each kind, over `data_files`."""

    def files(kind: str) -> dict[str, str]:
        return {split: data_files[f"{kind}_{split}"] for split in ("train", "validation")}

    return {
        "declared_labels": {
            "files": files("labels"),
            "inputs": "labels sentence: {sentence}",
            "targets": "label",
            "labels": {"0": "negative", "1": "positive"},
            "metrics": ["accuracy"],
        },
        "declared_answers": {
            "files": files("answers"),
            "inputs": "question: {question}",
            "answers": "answers",
            "metrics": ["squad"],
        },
        "declared_text": {"files": files("text"), "objective": "span_corruption"},
    }


@pytest.fixture
def make_request(tmp_path: Path, vocabulary_file: Path, declared: dict[str, Any]) -> Callable[..., DataRequest]:
    """Returns a maker of requests for the declared tasks; keyword arguments replace fields."""

    def make(**changes: Any) -> DataRequest:
        fields: dict[str, Any] = {
            "mixture": tuple(declared),
            "inputs_length": 48,
            "targets_length": 24,
            "seed": 3,
            "store_dir": str(tmp_path / "stores"),
            "declared": declared,
            "vocabulary": str(vocabulary_file),
            "extra_ids": EXTRA_IDS,
        }
        return DataRequest(**{**fields, **changes})

    return make
