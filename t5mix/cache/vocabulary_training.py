"""Training a SentencePiece vocabulary with T5's special ids, from files of every format that tasks read."""

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from t5mix.data.tokenizer import EOS, PAD, UNK
from t5mix.errors import T5MixError
from t5mix.files import atomic_path, check_writable_file
from t5mix.sources.file_names import Files, Format
from t5mix.sources.file_texts import FileTexts, pieces_of, read_texts

_SPECIAL = 3
_MANY = 1_000_000  # more pieces than any text of a run gives
_LONGEST = 4096  # characters: SentencePiece takes time with the square of a line, and leaves very long ones out
# Prompts are made of these ("question:"), and a corpus that lacks one would leave it unknown.
_ALWAYS = "".join(chr(code) for code in range(33, 127))
_THREADS = 16  # fixed: the number of threads decides the order of sums, and with it the pieces


def train_vocabulary(
    files: Files,
    output: Path | str,
    size: int,
    *,
    extra_ids: int = 100,
    fields: Sequence[str] | None = None,
    format: Format | None = None,
    multiple_of: int = 1,
    model_type: Literal["unigram", "bpe"] = "unigram",
    character_coverage: float = 0.9995,
    byte_fallback: bool = False,
    report: Callable[[FileTexts], None] = lambda texts: None,
) -> int:
    """Trains a vocabulary and writes it, all or nothing. Every printable ASCII character gets a piece.

    Args:
        files: text files, of which every line counts, and files with fields: TSV, CSV, JSON, Parquet and others.
        output: the model's file, by custom `*.model`.
        size: number of ids in all, the sentinels included.
        extra_ids: number of sentinels; they are added on loading and are not in the file.
        fields: the fields to learn from, by default all that hold text. A field has to
            exist in at least one file, and every file must give some text.
        format: of all files; by default what their names say.
        multiple_of: `size` is rounded up to a multiple of this (128 suits accelerators).
        model_type: SentencePiece's algorithm; T5 uses unigram.
        character_coverage: share of the text's characters that get a piece, the rest being unknown.
        byte_fallback: whether unknown characters are spelt in bytes.
        report: is told, before training begins, what was read from each file.

    Returns:
        The number of ids, sentinels included.

    Raises:
        T5MixError: a file is wrong, or the text does not give that many pieces; the message says how many it gives.
    """
    import sentencepiece

    output = Path(output).expanduser()
    check_writable_file(output, "--output")
    if extra_ids < 0:
        raise T5MixError(f"extra_ids is {extra_ids}: the number of sentinels must be 0 or more.")
    total = -(-size // multiple_of) * multiple_of
    read = read_texts(files, fields, format=format)
    for file in read:
        report(file)
    sentences = [piece for file in read for piece in pieces_of(file.texts, _LONGEST)]

    def train(pieces: int) -> bytes:
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            vocab_size=pieces,
            model_type=model_type,
            character_coverage=character_coverage,
            byte_fallback=byte_fallback,
            required_chars=_ALWAYS,
            pad_id=PAD,
            eos_id=EOS,
            unk_id=UNK,
            bos_id=-1,
            num_threads=_THREADS,
            max_sentence_length=4 * _LONGEST,  # bytes
            minloglevel=2,
        )
        return model.getvalue()

    try:
        model = train(max(total - extra_ids, _SPECIAL))
    except (RuntimeError, OSError) as error:
        raise T5MixError(_explain(str(error), train, total, extra_ids)) from error
    with atomic_path(output) as draft:
        draft.write_bytes(model)
    return total


def _explain(message: str, train: Callable[[int], bytes], total: int, extra_ids: int) -> str:
    """Says which sizes the text allows. SentencePiece tells one end of the range; a second training asks for the other.

    Args:
        message: SentencePiece's.
        train: trains a model of so many pieces.
        total: the ids that were asked for.
        extra_ids: how many of them are sentinels.
    """
    least, most = _bounds(message)
    if least is None and most is None:
        return f"SentencePiece cannot train a vocabulary of {total} ids: {message.strip()}"
    try:
        train(_SPECIAL if least is None else _MANY)
    except (RuntimeError, OSError) as error:
        bounds = _bounds(str(error))
        least, most = least or bounds[0], most or bounds[1]
    ids = [None if bound is None else bound + extra_ids for bound in (least, most)]
    allowed = f"{ids[0]} to {ids[1]}" if None not in ids else f"{ids[0]} or more" if most is None else f"up to {ids[1]}"
    sentinels = f" The {extra_ids} sentinels count." if extra_ids else ""
    return (
        f"A vocabulary of {total} ids cannot be made of this text, which allows sizes of {allowed}: at least one id "
        f"for each character, and no more than it has frequent parts of words.{sentinels} Choose a size in this range, "
        "or give more text."
    )


def _bounds(message: str) -> tuple[int | None, int | None]:
    """Returns the fewest and the most pieces, where a message of SentencePiece names them."""
    least = re.search(r"smaller than required_chars\D*\d+ vs (\d+)", message)
    most = re.search(r"value <= (\d+)", message)
    return (int(least[1]) if least else None, int(most[1]) if most else None)
