"""The vocabulary in a folder of another framework, as the settings of an experiment name it."""

from pathlib import Path
from typing import Any, NamedTuple

from t5mix.cache.vocabulary import BYTES
from t5mix.data.tokenizer import BYTE_IDS, load_sentencepiece, sentinel_ids
from t5mix.errors import T5MixError
from t5mix.files import read_json

SENTENCEPIECE_FILE = "spiece.model"
_FILES = (SENTENCEPIECE_FILE, "sentencepiece.model", "tokenizer.model")
_T5_SENTINELS = 100


class VocabularySettings(NamedTuple):
    """The settings `vocabulary` and `extra_ids` of an experiment.

    Attributes:
        vocabulary: path of a SentencePiece model, or "bytes".
        extra_ids: number of sentinels that are added to it.
    """

    vocabulary: str
    extra_ids: int


def find_vocabulary(folder: Path) -> VocabularySettings | None:
    """Returns the vocabulary in a folder, None if there is nothing that tells of one.

    Raises:
        T5MixError: the folder holds a tokenizer that gives no SentencePiece model.
    """
    settings = _read(folder / "tokenizer_config.json")
    name = settings.get("tokenizer_class") or _read(folder / "config.json").get("tokenizer_class") or ""
    if name.startswith("ByT5"):
        # Google trained with the last bytes as sentinels, which t5mix takes if there are no extra ids; Transformers'
        # own sentinels, from 259 on, mean nothing to those models.
        return VocabularySettings(BYTES, 0)
    for file in _FILES:
        if (folder / file).is_file():
            return VocabularySettings(str((folder / file).absolute()), _sentinels(folder / file, settings))
    if (folder / "tokenizer.json").exists():
        raise T5MixError(
            f"{folder} holds its tokenizer as tokenizer.json only. Put the {SENTENCEPIECE_FILE} of the model that it "
            "descends from beside it."
        )
    return None


def fits(vocabulary: VocabularySettings, rows: int) -> bool:
    """Returns whether the embedding of a model, of so many rows, has one for each id of the vocabulary."""
    if vocabulary.vocabulary == BYTES:
        return BYTE_IDS + vocabulary.extra_ids <= rows
    return load_sentencepiece(Path(vocabulary.vocabulary), vocabulary.extra_ids).GetPieceSize() <= rows


def _sentinels(model: Path, settings: dict[str, Any]) -> int:
    """Returns how many sentinels are added to a SentencePiece model: none if it holds its own."""
    if len(sentinel_ids(load_sentencepiece(model, 0), 0)):
        return 0
    return int(settings.get("extra_ids", _T5_SENTINELS))


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    content = read_json(file)
    if not isinstance(content, dict):
        raise T5MixError(f"{file} must hold an object; it holds {type(content).__name__}.")
    return content
