"""tokenizer.json with a Unigram model, as Transformers 5 saves T5's, made the SentencePiece model that it was.

The file holds the pieces with their scores, and what its text is normalised by; the settings that a SentencePiece model
has besides are those of every T5.
"""

import base64
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from t5mix.errors import T5MixError
from t5mix.files import read_json, temporary_folder

_SENTINEL = re.compile(r"<extra_id_(\d+)>")
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_SPACES = (
    *(0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0xA0, 0x1680),
    *range(0x2000, 0x200B),
    *(0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
)
"""What the file's tokenizer takes for white space besides the space (Unicode's White_Space)."""

_messages: Any = sentencepiece_model_pb2  # its classes come into being on import, unseen by type checkers


def sentencepiece_model(file: Path) -> tuple[bytes, int]:
    """Returns the SentencePiece model that a tokenizer.json was made of, and the number of sentinels added to it.

    Raises:
        T5MixError: the file is damaged, or holds another kind of tokenizer.
    """
    content = read_json(file)
    try:
        model = content["model"]
        if model.get("type") != "Unigram":
            raise T5MixError(
                f"{file} holds a tokenizer of the kind {model.get('type')!r}; t5mix reads Unigram, the kind of all T5 "
                "with a SentencePiece vocabulary."
            )
        pieces, unknown = [(str(piece), float(score)) for piece, score in model["vocab"]], model["unk_id"]
        special = {entry["content"] for entry in content["added_tokens"] if entry["special"]}
        charsmap = _charsmap(content.get("normalizer"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise T5MixError(f"{file} is no tokenizer.json: {type(error).__name__}: {error}.") from error
    sentinels = _sentinels(pieces)
    proto = _messages.ModelProto()
    kinds = _messages.ModelProto.SentencePiece
    for index, (piece, score) in enumerate(pieces[: len(pieces) - sentinels]):
        if index == unknown:
            kind = kinds.UNKNOWN
        elif _SENTINEL.fullmatch(piece.removeprefix("▁")):
            kind = kinds.USER_DEFINED
        elif piece in special:
            kind = kinds.CONTROL
        else:
            kind = kinds.BYTE if _BYTE.fullmatch(piece) and model.get("byte_fallback") else kinds.NORMAL
        proto.pieces.add(piece=piece, score=score, type=kind)
    proto.trainer_spec.model_type = _messages.TrainerSpec.UNIGRAM
    proto.trainer_spec.vocab_size = len(proto.pieces)
    proto.trainer_spec.byte_fallback = bool(model.get("byte_fallback"))
    for name, piece in (("pad", "<pad>"), ("eos", "</s>"), ("unk", "<unk>"), ("bos", "<s>")):
        ids = [index for index, (other, _) in enumerate(pieces) if other == piece][:1] or [-1]
        setattr(proto.trainer_spec, f"{name}_id", ids[0])
    proto.normalizer_spec.precompiled_charsmap = charsmap
    proto.normalizer_spec.add_dummy_prefix = True
    proto.normalizer_spec.remove_extra_whitespaces = True
    proto.normalizer_spec.escape_whitespaces = True
    return proto.SerializeToString(), sentinels


def _sentinels(pieces: list[tuple[str, float]]) -> int:
    """Returns how many of the last pieces are the sentinels that the tokenizer adds, the first of them the last."""
    count = 0
    while count < len(pieces) and pieces[-1 - count][0] == f"<extra_id_{count}>":
        count += 1
    return count


def _charsmap(normalizer: Mapping[str, Any] | None) -> bytes:
    """Returns the compiled rules of a normaliser; without any, those that make all white space a space."""
    steps = [] if normalizer is None else normalizer.get("normalizers", [normalizer])
    for step in steps:
        if step["type"] == "Precompiled":
            return base64.b64decode(step["precompiled_charsmap"])
    return _compile_rules()


def _compile_rules() -> bytes:
    """Returns rules as SentencePiece compiles them, which it does only while it trains a model."""
    trained = io.BytesIO()
    with temporary_folder("t5mix-rules-") as folder:
        rules = folder / "spaces.tsv"
        rules.write_text("".join(f"{space:X}\t20\n" for space in _SPACES), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b"]),
            model_writer=trained,
            model_type="char",
            vocab_size=8,
            hard_vocab_limit=False,
            normalization_rule_tsv=str(rules),
            minloglevel=2,
        )
    return _messages.ModelProto.FromString(trained.getvalue()).normalizer_spec.precompiled_charsmap
