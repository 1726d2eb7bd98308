import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from t5mix.cache.seqio_task import SeqioTask
from t5mix.cache.seqio_vocabularies import describe_vocabulary, seqio_vocabulary, with_vocabulary
from t5mix.cache.vocabulary import common_vocabulary, vocabulary_entry
from t5mix.data.tokenizer import Tokenizer
from t5mix.errors import T5MixError
from t5mix.preprocessors.objectives import sentinels_of
from t5mix.tensorflow_setup import seqio, tf

TEXTS = ["The river opens.", "", "Größe ≠ 日本", "a <extra_id_0> b <extra_id_39>"]


def load_vocabulary(name: str, extra_ids: int) -> seqio.Vocabulary:
    return seqio_vocabulary(vocabulary_entry(name, extra_ids))


def task(name: str, vocabulary: seqio.Vocabulary) -> seqio.Task:
    feature = seqio.Feature(vocabulary)
    source = seqio.FunctionDataSource(lambda split, shuffle_files: tf.data.Dataset.range(1), splits=["train"])
    return seqio.Task(name, source, {"inputs": feature, "targets": feature})


@pytest.mark.parametrize("kind", ["sentencepiece", "bytes"])
def test_the_codec_equals_seqio(vocabulary_file, kind):
    name = str(vocabulary_file) if kind == "sentencepiece" else "bytes"
    vocabulary = load_vocabulary(name, 40)
    entry = describe_vocabulary(vocabulary)
    assert (entry.kind, entry.extra_ids, entry.size) == (kind, 40, vocabulary.vocab_size)
    tokenizer = Tokenizer(entry)
    for text in TEXTS:
        ids = [*vocabulary.encode(text), 1]
        assert tokenizer.encode(text) == ids == [*vocabulary.encode_tf(text).numpy().tolist(), 1]
        assert tokenizer.decode(ids) == vocabulary.decode(ids)
        assert tokenizer.decode([0, *ids, 5, 6, 0]) == vocabulary.decode([0, *ids, 5, 6, 0])
        assert len(tokenizer.pieces(ids)) == len(ids)
    first = entry.size - 1
    assert tokenizer.decode([first, 10, first - 39, 1]).count("<extra_id_") == 2
    assert tokenizer.decode([first]).strip() == "<extra_id_0>"
    assert tokenizer.pieces([0, 1, first])[-1].strip("▁") == "<extra_id_0>"
    assert tokenizer.decode([entry.size + 7]) == vocabulary.decode([entry.size + 7])


def test_wrong_files_are_refused(tmp_path, vocabulary_file):
    with pytest.raises(T5MixError, match="There is no vocabulary file"):
        load_vocabulary(str(tmp_path / "none.model"), 100)
    (tmp_path / "bad.model").write_text("not a model")
    with pytest.raises(T5MixError, match="is not a SentencePiece model"):
        load_vocabulary(str(tmp_path / "bad.model"), 100)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d"] * 9),
        model_prefix=str(tmp_path / "other"),
        vocab_size=9,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    with pytest.raises(T5MixError, match=r"has the ids \(-1, 2, 0\) .* T5 needs \(0, 1, 2\)"):
        load_vocabulary(str(tmp_path / "other.model"), 100)
    entry = describe_vocabulary(load_vocabulary(str(vocabulary_file), 40))
    with pytest.raises(T5MixError, match="is not the one that made the run's data"):
        Tokenizer(dataclasses.replace(entry, sha256="0" * 64))


def test_tasks_must_agree_on_a_vocabulary(tmp_path, vocabulary_file):
    copy = tmp_path / "copy.model"
    shutil.copy(vocabulary_file, copy)
    one, same, fewer = (
        load_vocabulary(str(path), count) for path, count in ((vocabulary_file, 40), (copy, 40), (copy, 30))
    )
    assert common_vocabulary([SeqioTask(task("a", one)), SeqioTask(task("b", same))]).extra_ids == 40
    with pytest.raises(T5MixError, match=r"must share one vocabulary.*40 sentinels: a; .*30 sentinels: b"):
        common_vocabulary([SeqioTask(task("a", one)), SeqioTask(task("b", fewer))])
    with pytest.raises(T5MixError, match="Task 'c': PassThroughVocabulary is a vocabulary that"):
        common_vocabulary([SeqioTask(task("c", seqio.PassThroughVocabulary(5)))])


def test_replacing_a_vocabulary_leaves_the_task_as_it_was(vocabulary_file):
    old, new = seqio.ByteVocabulary(), load_vocabulary(str(vocabulary_file), 40)
    before = task("a", old)
    after = with_vocabulary(before, new)
    assert after.output_features["inputs"].vocabulary == after.output_features["targets"].vocabulary == new
    assert before.output_features["inputs"].vocabulary == old
    assert after.name == "a"


def test_the_sentinels_of_a_file_are_found_by_name(tmp_path):
    """mT5's vocabulary has its sentinels inside; none are added."""
    texts = ["the cat sat on the mat", "a dog ran in the park", "she sells sea shells"] * 20
    for name, order in (("like_mt5", reversed(range(8))), ("counting_up", range(8))):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_prefix=str(tmp_path / name),
            vocab_size=40,
            hard_vocab_limit=False,
            minloglevel=2,
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            user_defined_symbols=[f"▁<extra_id_{index}>" for index in order],
        )
        for extra_ids in (0, 8, 100):
            entry = vocabulary_entry(str(tmp_path / f"{name}.model"), extra_ids)
            vocabulary, tokenizer = seqio_vocabulary(entry), Tokenizer(entry)
            assert (entry.extra_ids, entry.size) == (0, vocabulary.vocab_size)
            assert np.array_equal(sentinels_of(vocabulary), tokenizer.sentinels)
            assert [piece.strip("▁") for piece in tokenizer.pieces(tokenizer.sentinels)] == [
                f"<extra_id_{index}>" for index in range(8)
            ]


@pytest.mark.parametrize(("extra_ids", "first", "count"), [(0, 258, 100), (4, 262, 4), (100, 358, 100)])
def test_bytes_count_sentinels_down_from_the_last_id(extra_ids, first, count):
    sentinels = Tokenizer(vocabulary_entry("bytes", extra_ids)).sentinels
    assert sentinels.tolist() == list(range(first, first - count, -1))
    assert np.array_equal(sentinels_of(seqio.ByteVocabulary(extra_ids=extra_ids)), sentinels)


def test_added_sentinels_are_the_last_ids(vocabulary_file):
    entry = vocabulary_entry(str(vocabulary_file), 40)
    assert Tokenizer(entry).sentinels.tolist() == list(range(entry.size - 1, entry.size - 41, -1))
    assert len(Tokenizer(vocabulary_entry(str(vocabulary_file), 0)).sentinels) == 0


def test_a_download_that_fails_leaves_nothing(tmp_path, monkeypatch, vocabulary_file):
    monkeypatch.setenv("HOME", str(tmp_path))
    name = "gs://nobody/broken/own.model"

    def copy(source: str, target: str, overwrite: bool) -> None:
        Path(target).write_bytes(vocabulary_file.read_bytes() if whole else b"")
        if not whole:
            raise tf.errors.UnavailableError(None, None, "no route to host")

    monkeypatch.setattr(tf.io.gfile, "copy", copy)
    whole = False
    with pytest.raises(T5MixError, match=r"gs://nobody/broken/own\.model cannot be reached: no route to host\. Set"):
        describe_vocabulary(seqio.SentencePieceVocabulary(name))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    whole = True
    assert describe_vocabulary(seqio.SentencePieceVocabulary(name)).path.startswith(str(tmp_path))
