"""What a vocabulary is learnt from: all text of all files, whatever their format."""

import gzip
import json
from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.sources.file_texts import pieces_of, read_texts


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("A first note.\n\n12\n", encoding="utf-8")
    Path("reviews.tsv").write_text("id\ttext\tlabel\n1\tGood.\t-1\n2\t7\t2.5e3\n3\t \t\n", encoding="utf-8")
    rows = [{"en": "the door", "de": "die Tür", "score": 2.5, "tags": ["a", "b"]}, {"en": "one", "more": {"x": "y"}}]
    Path("ende.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return tmp_path


def test_all_text_of_all_files_counts_and_numbers_do_not(folder: Path):
    notes, reviews, ende = read_texts(["notes.txt", "reviews.tsv", "ende.jsonl"])
    assert (notes.lines, notes.fields, notes.texts) == (2, (), ("A first note.", "12"))
    assert (reviews.lines, reviews.fields, reviews.left_out) == (3, ("text",), ("id", "label"))
    assert reviews.texts == ("Good.", "7")  # a number among texts is one of them
    assert (ende.fields, ende.left_out) == (("en", "de", "tags"), ("score", "more"))
    assert ende.texts == ("the door", "one", "die Tür", "a", "b")


def test_fields_can_be_chosen_numbers_too(folder: Path):
    reviews, ende, notes = read_texts(["reviews.tsv", "*.jsonl", "notes.txt"], ["label", "de", "score"])
    assert reviews.texts == ("-1", "2.5e3")
    assert (ende.fields, ende.texts) == (("de", "score"), ("die Tür", "2.5"))
    assert notes.lines == 2  # all of plain text counts


def test_what_gives_no_text_is_refused(folder: Path):
    with pytest.raises(T5MixError, match=r"'txt'. Did you mean 'text'\? The files have the fields id, label, text\."):
        read_texts(["reviews.tsv", "notes.txt"], ["txt"])
    with pytest.raises(T5MixError, match=r"ende.jsonl has no text in text. Its fields are en, de, score, tags, more"):
        read_texts(["reviews.tsv", "ende.jsonl"], ["text"])
    with pytest.raises(T5MixError, match="no field 'en': plain text files have no fields"):
        read_texts(["notes.txt"], ["en"])
    Path("numbers.tsv").write_text("id\n1\n", encoding="utf-8")
    with pytest.raises(T5MixError, match=r"numbers.tsv has no text. Its fields are id"):
        read_texts(["notes.txt", "numbers.tsv"])
    Path("empty.txt").write_text("\n \n", encoding="utf-8")
    with pytest.raises(T5MixError, match=r"empty.txt holds no examples"):
        read_texts(["notes.txt", "empty.txt"])


def test_half_characters_are_refused_in_fields_that_are_read(folder: Path):
    Path("cut.jsonl").write_text('{"a": "fine"}\n{"a": "cut \\ud83d"}\n{"b": "fine"}\n', encoding="utf-8")
    with pytest.raises(T5MixError, match=r"cut\.jsonl, line 2: field 'a' holds half a character"):
        read_texts(["cut.jsonl"])
    assert read_texts(["cut.jsonl"], ["b"])[0].texts == ("fine",)


def test_other_formats_and_sides_of_parallel_text(folder: Path):
    Path("a.csv").write_text('text,n\n"one\ntwo",1\n', encoding="utf-8")
    Path("train.de.gz").write_bytes(gzip.compress(b"eins\nzwei\n"))
    csv, german = read_texts(["a.csv", "train.de.gz"])
    assert (csv.fields, csv.texts) == (("text",), ("one\ntwo",))
    assert (german.fields, german.texts) == ((), ("eins", "zwei"))


def test_long_texts_are_cut_at_white_space():
    texts = ["short", "two words and more", "unbroken" * 2]
    assert list(pieces_of(texts, 10)) == ["short", "two words ", "and more", "unbrokenun", "broken"]
