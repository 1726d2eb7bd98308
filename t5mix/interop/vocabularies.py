"""The vocabulary in a folder of another framework, as the settings of an experiment name it."""

from pathlib import Path
from typing import Any, NamedTuple

from t5mix.cache.vocabulary import BYTES
from t5mix.data.tokenizer import load_sentencepiece, sentinel_ids
from t5mix.files import atomic_path, read_json_object, sha256_of
from t5mix.interop.unigram_tokenizer import sentencepiece_model

SENTENCEPIECE_FILE = "spiece.model"
_FILES = (SENTENCEPIECE_FILE, "sentencepiece.model", "tokenizer.model")
_TOKENIZER = "tokenizer.json"
_T5_SENTINELS = 100
_CACHE = Path("~/.cache/t5mix/vocabularies")


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
    if (folder / _TOKENIZER).exists():
        return _rebuilt(folder / _TOKENIZER)
    return None


def _rebuilt(file: Path) -> VocabularySettings:
    """Returns the SentencePiece model that a tokenizer.json was made of, which is kept in the user's cache."""
    kept = _CACHE.expanduser() / f"{sha256_of(file)[:16]}.model"
    model, sentinels = sentencepiece_model(file)
    if not kept.exists():
        with atomic_path(kept) as draft:
            draft.write_bytes(model)
    return VocabularySettings(str(kept.absolute()), sentinels)


def _sentinels(model: Path, settings: dict[str, Any]) -> int:
    """Returns how many sentinels are added to a SentencePiece model: none if it holds its own."""
    if len(sentinel_ids(load_sentencepiece(model, 0), 0)):
        return 0
    return int(settings.get("extra_ids", _T5_SENTINELS))


def _read(file: Path) -> dict[str, Any]:
    return read_json_object(file) if file.is_file() else {}
