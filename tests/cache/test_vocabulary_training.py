import re

import pytest
import sentencepiece

from t5mix.cache.vocabulary_training import train_vocabulary
from t5mix.errors import T5MixError


def test_special_ids_and_size(vocabulary_file):
    model = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary_file))
    assert (model.pad_id(), model.eos_id(), model.unk_id(), model.bos_id()) == (0, 1, 2, -1)
    assert model.GetPieceSize() == 120
    assert 2 not in model.EncodeAsIds("question: {x} <y> #1")  # every ASCII character has a piece


def test_size_is_rounded_up_and_training_repeats_itself(tmp_path, data_files):
    for name in ("a.model", "b.model"):
        total = train_vocabulary(
            [data_files["labels_train"], data_files["answers_train"]],
            tmp_path / name,
            120,
            extra_ids=10,
            fields=["sentence", "question"],
            multiple_of=16,
        )
        assert total == 128
    assert (tmp_path / "a.model").read_bytes() == (tmp_path / "b.model").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_every_file_counts_without_being_told_which_fields(tmp_path, data_files):
    rows = tmp_path / "german.jsonl"
    rows.write_text('{"de": "Er hört schöne Töne.", "score": 1}\n' * 20, encoding="utf-8")
    read = []
    files = [data_files["text_train"], data_files["labels_train"], rows]
    train_vocabulary(files, tmp_path / "v.model", 120, extra_ids=5, report=read.append)
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "v.model"))
    assert 2 not in model.EncodeAsIds("ö")
    assert [file.fields for file in read] == [(), ("sentence",), ("de",)]


def test_a_long_line_is_learnt_from(tmp_path):
    (tmp_path / "long.txt").write_text("hello\n" + "ωmega sigma " * 100_000, encoding="utf-8")
    train_vocabulary([tmp_path / "long.txt"], tmp_path / "v.model", 99, extra_ids=0)
    assert 2 not in sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "v.model")).EncodeAsIds("ω")


def test_errors_say_what_is_possible(tmp_path, data_files):
    text = data_files["text_train"]
    out = tmp_path / "v.model"
    messages = []
    for size in (50000, 120, 3, -1):  # of which 100 are sentinels
        with pytest.raises(T5MixError, match=rf"of {size} ids cannot be made .* sizes of \d+ to \d+:") as error:
            train_vocabulary([text], out, size)
        messages.append(str(error.value))
    least, most = map(int, re.findall(r"sizes of (\d+) to (\d+)", messages[0])[0])
    assert all(f"sizes of {least} to {most}:" in message for message in messages)
    for size in (least, most):
        assert train_vocabulary([text], tmp_path / f"{size}.model", size) == size
    with pytest.raises(T5MixError, match=r"extra_ids is -1: .* 0 or more"):
        train_vocabulary([text], out, 300, extra_ids=-1)
    with pytest.raises(T5MixError, match="is a folder"):
        train_vocabulary([text], tmp_path, 300)
    with pytest.raises(T5MixError, match=r"Unknown field 'sentense'. Did you mean 'sentence'"):
        train_vocabulary([data_files["labels_train"]], out, 300, fields=["sentense"])
    assert not out.exists()
