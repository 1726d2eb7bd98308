"""tokenizer.json of Transformers 5: the SentencePiece model in it gives the ids that the original gave."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from t5mix.data.tokenizer import load_sentencepiece, sentinel_ids
from t5mix.errors import T5MixError
from t5mix.interop.unigram_tokenizer import sentencepiece_model
from t5mix.interop.vocabularies import find_vocabulary
from tests.support.data_files import sentences

_messages: Any = sentencepiece_model_pb2
TEXTS = [
    *sentences(50),
    "",
    " two  spaces ",
    "a\tb\nc",
    "a\u3000b\u00a0c",
    "ﬁ ½ Ⅷ",
    "日本語",
    "I like <extra_id_0> and <extra_id_1>",
]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece model with T5's special ids and its normalisation, nmt_nfkc."""
    file = tmp_path_factory.mktemp("vocabulary") / "spiece.model"
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences(400)),
        model_writer=trained,
        vocab_size=90,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    file.write_bytes(trained.getvalue())
    return file


def tokenizer_json(model: Path, sentinels: int, *, normalized: bool = True) -> dict[str, Any]:
    """What Transformers 5 makes of a SentencePiece model."""
    proto = _messages.ModelProto.FromString(model.read_bytes())
    extra = [f"<extra_id_{number}>" for number in reversed(range(sentinels))]
    vocab = [[piece.piece, piece.score] for piece in proto.pieces] + [[piece, 0.0] for piece in extra]
    charsmap = base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()
    special = ["<pad>", "</s>", "<unk>", *extra]
    return {
        "added_tokens": [{"id": 0, "content": piece, "special": True} for piece in special],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap} if normalized else None,
        "model": {"type": "Unigram", "unk_id": 2, "vocab": vocab, "byte_fallback": False},
    }


def test_the_same_ids(original: Path, tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer_json(original, 100)))
    found = find_vocabulary(tmp_path)
    assert found is not None
    assert found.extra_ids == 100
    wanted, rebuilt = load_sentencepiece(original, 100), load_sentencepiece(Path(found.vocabulary), 100)
    assert rebuilt.GetPieceSize() == wanted.GetPieceSize()
    for text in TEXTS:
        assert rebuilt.EncodeAsIds(text) == wanted.EncodeAsIds(text), text
        assert rebuilt.DecodeIds(wanted.EncodeAsIds(text)) == wanted.DecodeIds(wanted.EncodeAsIds(text))


def test_without_a_normaliser_all_white_space_is_a_space(original: Path, tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer_json(original, 0, normalized=False)))
    model, sentinels = sentencepiece_model(tmp_path / "tokenizer.json")
    assert sentinels == 0
    rebuilt = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert rebuilt.EncodeAsIds("a\u3000b\u00a0 c\n") == rebuilt.EncodeAsIds("a b c")
    assert "½" in rebuilt.Normalize("½")  # which T5's own normalisation makes 1/2


def test_sentinels_inside_the_model_stay_there(original: Path, tmp_path: Path):
    content = tokenizer_json(original, 0)
    content["model"]["vocab"] += [[f"▁<extra_id_{number}>", 0.0] for number in reversed(range(3))]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    found = find_vocabulary(tmp_path)
    assert found is not None
    assert found.extra_ids == 0
    size = len(content["model"]["vocab"])
    assert list(sentinel_ids(load_sentencepiece(Path(found.vocabulary), 0), 0)) == [size - 1, size - 2, size - 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"type": "BPE"}}, "a tokenizer of the kind 'BPE'"),
        ({}, "is no tokenizer.json: KeyError"),
        ([], "is no tokenizer.json: TypeError"),
        ({"model": {"type": "Unigram", "vocab": [["a"]], "unk_id": 0}}, "is no tokenizer.json: ValueError"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: Any, message: str):
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(T5MixError, match=message):
        find_vocabulary(tmp_path)
