"""Training a SentencePiece vocabulary with T5's special ids, from text, TSV or JSON Lines files."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from t5mix.data.tokenizer import EOS, PAD, UNK
from t5mix.errors import T5MixError, nearest
from t5mix.files import atomic_path
from t5mix.sources.file_readers import read_rows

_SPECIAL = 3
# Prompts are made of these ("question:"), and a corpus that lacks one would leave it unknown.
_ALWAYS = "".join(chr(code) for code in range(33, 127))
_THREADS = 16  # fixed: the number of threads decides the order of sums, and with it the pieces


def train_vocabulary(
    files: Sequence[Path | str],
    output: Path | str,
    size: int,
    *,
    extra_ids: int = 100,
    fields: Sequence[str] | None = None,
    multiple_of: int = 1,
    model_type: Literal["unigram", "bpe"] = "unigram",
    character_coverage: float = 0.9995,
    byte_fallback: bool = False,
) -> int:
    """Trains a vocabulary and writes it, all or nothing. Every printable ASCII character gets a piece.

    Args:
        files: text files, of which every line counts, and TSV or JSON Lines files.
        output: the model's file, by custom `*.model`.
        size: number of ids in all, the sentinels included.
        extra_ids: number of sentinels; they are added on loading and are not in the file.
        fields: the TSV and JSON Lines fields to learn from, by default all that hold text. A field has to
            exist in at least one file.
        multiple_of: `size` is rounded up to a multiple of this (128 suits accelerators).
        model_type: SentencePiece's algorithm; T5 uses unigram.
        character_coverage: share of the text's characters that get a piece, the rest being unknown.
        byte_fallback: whether unknown characters are spelt in bytes.

    Returns:
        The number of ids, sentinels included.

    Raises:
        T5MixError: a file is wrong, or the text does not give that many pieces; the message says how many.
    """
    import sentencepiece

    output = Path(output).expanduser()
    total = -(-size // multiple_of) * multiple_of
    pieces = total - extra_ids
    if extra_ids < 0 or pieces <= _SPECIAL:
        raise T5MixError(
            f"A vocabulary of {total} ids with {extra_ids} sentinels has no room for pieces; "
            f"set size to more than {extra_ids + _SPECIAL}."
        )
    sentences = list(_sentences([Path(file) for file in files], fields))
    model = io.BytesIO()
    try:
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
            max_sentence_length=1 << 20,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise T5MixError(_explain(str(error), total, extra_ids)) from error
    with atomic_path(output) as draft:
        draft.write_bytes(model.getvalue())
    return total


def _sentences(files: Sequence[Path], fields: Sequence[str] | None) -> Iterator[str]:
    if not files:
        raise T5MixError("Give at least one file to learn the vocabulary from.")
    seen: set[str] = set()
    for file in files:
        for row in read_rows(file):
            seen.update(row.fields)
            for name, value in row.fields.items():
                chosen = row.path.suffix in (".txt", ".text") or fields is None or name in fields
                for text in (value if isinstance(value, list) else [value]) if chosen else ():
                    if isinstance(text, str) and text.strip():
                        yield text
    unknown = [name for name in fields or () if name not in seen]
    if unknown:
        near = nearest(unknown[0], seen)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise T5MixError(f"No file has the field {unknown[0]!r}; there are {', '.join(sorted(seen))}.{meant}")


def _explain(message: str, total: int, extra_ids: int) -> str:
    if most := re.search(r"value <= (\d+)", message):
        return (
            f"The text gives at most {int(most[1]) + extra_ids} ids ({most[1]} pieces and {extra_ids} "
            f"sentinels), and {total} were asked for. Lower size, or give more text."
        )
    if least := re.search(r"smaller than required_chars\D*\d+ vs (\d+)", message):
        return (
            f"A vocabulary of {total} ids cannot hold the text's characters alone; that takes at least "
            f"{int(least[1]) + extra_ids}. Raise size, or lower character_coverage."
        )
    return f"SentencePiece cannot train a vocabulary of {total} ids: {message.strip()}"
