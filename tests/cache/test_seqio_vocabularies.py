import dataclasses
import shutil

import pytest
import sentencepiece

from t5mix.cache.seqio_task import SeqioTask
from t5mix.cache.seqio_vocabularies import describe_vocabulary, seqio_vocabulary, with_vocabulary
from t5mix.cache.vocabulary import common_vocabulary, vocabulary_entry
from t5mix.data.tokenizer import Tokenizer
from t5mix.errors import T5MixError
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
