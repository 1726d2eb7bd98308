"""Text to ids and back without TensorFlow or seqio, with the same results: for prediction and serving."""

import functools
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.data.manifest import VocabularyEntry
from t5mix.data.ragged import Ragged
from t5mix.errors import T5MixError
from t5mix.files import sha256_of

PAD, EOS, UNK = 0, 1, 2
"""T5's ids for padding, the end of a sequence and an unknown piece: every vocabulary has these."""
_BYTE_OFFSET = 3  # ByT5: a byte's id is its value plus the three special ids
_BYTES = 256
BYTE_IDS = _BYTE_OFFSET + _BYTES
"""The number of ids of bytes, sentinels aside."""
_SHARED_SENTINELS = 100  # as many as T5 has


class Tokenizer:
    """Encodes and decodes with a run's vocabulary.

    The sentinels read `<extra_id_0>`, `<extra_id_1>`, ... Those that are added take the last ids, the first of them the
    highest (T5's convention).

    Args:
        entry: the vocabulary, as the data manifest names it.

    Raises:
        T5MixError: the vocabulary's file is missing, or is not the one that made the data.
    """

    def __init__(self, entry: VocabularyEntry) -> None:
        self.entry = entry
        self._pieces = None
        if entry.kind == "sentencepiece":
            if sha256_of(Path(entry.path)) != entry.sha256:
                raise T5MixError(
                    f"The vocabulary {entry.path} is not the one that made the run's data: its content has "
                    "changed. Put the old file back, or prepare the data anew."
                )
            self._pieces = load_sentencepiece(Path(entry.path), entry.extra_ids)

    @functools.cached_property
    def sentinels(self) -> np.ndarray:
        """The ids of the sentinels; that of `<extra_id_0>`, the first to be used, is the first."""
        if self._pieces is None:
            return byte_sentinels(self.entry.extra_ids)
        return sentinel_ids(self._pieces, self.entry.extra_ids)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of `text`, the end-of-sequence id included."""
        if self._pieces is None:
            return [byte + _BYTE_OFFSET for byte in text.encode("utf-8")] + [EOS]
        return [*self._pieces.EncodeAsIds(text), EOS]

    def encode_texts(self, texts: Sequence[str]) -> Ragged:
        """Returns the ids of many texts, without the end of the sequence."""
        if self._pieces is None:
            encoded = [np.frombuffer(text.encode("utf-8"), np.uint8) for text in texts]
            bytes_ = Ragged.of(encoded)
            return Ragged(bytes_.values + np.int32(_BYTE_OFFSET), bytes_.lengths)
        encoded = self._pieces.EncodeAsIds(list(texts))
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        # An array of each text would take longer than encoding it.
        return Ragged(np.fromiter(itertools.chain.from_iterable(encoded), np.int32, int(lengths.sum())), lengths)

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of `ids` up to the first end of sequence; padding is dropped.

        Ids beyond the vocabulary, which a model's padded embedding can produce, count as unknown.
        """
        kept = []
        for token in map(int, ids):
            if token == EOS:
                break
            if token != PAD:
                kept.append(token)
        if self._pieces is None:
            return self._decode_bytes(kept)
        size = self.entry.size
        return self._pieces.DecodeIds([token if 0 <= token < size else UNK for token in kept])

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Returns what each id stands for, for people to look at."""
        return [self._piece(int(token)) for token in ids]

    def _piece(self, token: int) -> str:
        if self._pieces is not None and 0 <= token < self.entry.size:
            return self._pieces.IdToPiece(token)
        special = {PAD: "<pad>", EOS: "</s>", UNK: "<unk>"}
        if token in special:
            return special[token]
        if self.entry.size - self.entry.extra_ids <= token < self.entry.size:
            return f"<extra_id_{self.entry.size - 1 - token}>"
        if _BYTE_OFFSET <= token < _BYTE_OFFSET + _BYTES:
            byte = token - _BYTE_OFFSET
            return chr(byte) if 32 <= byte < 127 else f"<0x{byte:02X}>"
        return "<unk>"

    def _decode_bytes(self, ids: list[int]) -> str:
        text = bytearray()
        for token in ids:
            if _BYTE_OFFSET <= token < _BYTE_OFFSET + _BYTES:
                text.append(token - _BYTE_OFFSET)
            elif _BYTE_OFFSET + _BYTES <= token < self.entry.size:
                text += self._piece(token).encode()
        return text.decode("utf-8", errors="ignore")


def byte_sentinels(extra_ids: int) -> np.ndarray:
    """Returns the sentinels of bytes: the extra ids, from the last downwards.

    Without extra ids they are the last bytes, as in the ByT5 that was released; UTF-8 has no use for the first 11.
    """
    last = BYTE_IDS + extra_ids - 1
    return last - np.arange(extra_ids or _SHARED_SENTINELS, dtype=np.int32)


def sentinel_ids(processor: Any, extra_ids: int) -> np.ndarray:
    """Returns the ids of the sentinels of a SentencePiece model.

    Args:
        processor: the loaded model.
        extra_ids: how many were added to those of its file.
    """
    size = processor.GetPieceSize()
    if extra_ids:
        return size - 1 - np.arange(extra_ids, dtype=np.int32)
    names = map("<extra_id_{}>".format, itertools.count())
    by_name = (max(processor.PieceToId(name), processor.PieceToId(f"▁{name}")) for name in names)
    return np.array([*itertools.takewhile(lambda token: token > UNK, by_name)], np.int32)


@functools.lru_cache(maxsize=8)
def load_sentencepiece(path: Path, extra_ids: int) -> Any:
    """Loads a SentencePiece model and adds the sentinels.

    Args:
        path: the model's file.
        extra_ids: number of sentinels, `<extra_id_0>` with the highest id.

    Returns:
        A `sentencepiece.SentencePieceProcessor`.

    Raises:
        T5MixError: the file is missing, no SentencePiece model, or has other ids than 0, 1 and 2 for padding,
            the end of the sequence and the unknown piece.
    """
    import sentencepiece
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2  # its classes come into being on import, unseen by type checkers
    if not path.is_file():
        raise T5MixError(
            f"There is no vocabulary file {path} (working directory: {Path.cwd()}). "
            "Give the path of a SentencePiece model, or 'bytes'. "
            "`t5mix vocab train FILES --output FILE.model` makes one."
        )
    try:
        model = messages.ModelProto.FromString(path.read_bytes())
        if not model.pieces:
            raise ValueError("it has no pieces")
    except (DecodeError, ValueError) as error:
        raise T5MixError(f"{path} is not a SentencePiece model: {error}.") from error
    for index in reversed(range(extra_ids)):
        model.pieces.add(
            piece=f"▁<extra_id_{index}>",
            score=0.0,
            type=messages.ModelProto.SentencePiece.USER_DEFINED,
        )
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model.SerializeToString())
    except RuntimeError as error:
        raise T5MixError(f"{path} with {extra_ids} sentinels cannot be loaded: {error}.") from error
    ids = (processor.pad_id(), processor.eos_id(), processor.unk_id())
    if ids != (PAD, EOS, UNK):
        raise T5MixError(
            f"The vocabulary {path} has the ids {ids} for padding, end of sequence and unknown; T5 needs "
            f"{(PAD, EOS, UNK)}. Train it with `t5mix vocab train`, or with --pad_id=0 --eos_id=1 --unk_id=2."
        )
    return processor
