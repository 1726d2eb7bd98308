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


def test_errors_say_what_is_possible(tmp_path, data_files):
    text = data_files["text_train"]
    out = tmp_path / "v.model"
    with pytest.raises(T5MixError, match=r"at most \d+ ids \(\d+ pieces and 100 sentinels\), and 50000 were"):
        train_vocabulary([text], out, 50000)
    with pytest.raises(T5MixError, match=r"cannot hold the text's characters alone; .* at least \d+"):
        train_vocabulary([text], out, 120)
    with pytest.raises(T5MixError, match="has no room for pieces; set size to more than 103"):
        train_vocabulary([text], out, 100)
    with pytest.raises(T5MixError, match=r"No file has the field 'sentense'.*Did you mean 'sentence'"):
        train_vocabulary([data_files["labels_train"]], out, 300, fields=["sentense"])
    assert not out.exists()
