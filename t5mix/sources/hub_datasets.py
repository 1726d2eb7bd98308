"""Data sets of Hugging Face: saved ones, local folders, those of the hub; with `datasets`, loaded where one is met."""

import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from t5mix.configurable import configurable
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.sources.file_names import MissingFileError
from t5mix.sources.tables import FileTable, is_wanted

_BATCH = 1000


@configurable
class DatasetSplit:
    """A split of a data set, as `datasets.load_dataset` and `load_from_disk` name it.

    Attributes:
        dataset: a folder that `save_to_disk` wrote, a folder of data files, or the name of a data set on the hub.
        config: the data set's configuration, where it has several.
        split: the split; its slices may be named too, such as train[:90%].
        revision: the hub's revision: a tag, branch or commit.
    """

    dataset: str
    config: str | None = None
    split: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        told = [self.dataset, *([self.config] if self.config else [])]
        return f"data set {'/'.join(told)}, split {self.split}"

    def table(self, wanted: Collection[str] | None = None) -> FileTable:
        """Opens the split.

        Args:
            wanted: the fields that are needed, the others need not be read; None for all.

        Raises:
            T5MixError: the data set is not there, cannot be reached, or lacks the split.
        """
        data = _load(self)
        columns = tuple(data.column_names)
        return FileTable(
            str(self), columns, self._rows(data, columns, wanted), unit="row", class_names=self.class_names()
        )

    def class_names(self) -> Mapping[str, Sequence[str]]:
        """Returns the names of the classes of each field that has them."""
        features = _load(self).features.items()
        return {field: feature.names for field, feature in features if type(feature).__name__ == "ClassLabel"}

    def files(self) -> list[Path]:
        """Returns the files that hold the data set on this machine."""
        return [Path(file["filename"]) for file in _load(self).cache_files]

    def _rows(self, data: Any, columns: Sequence[str], wanted: Collection[str] | None) -> Iterator[tuple[int, Any]]:
        needed = [name for name in columns if is_wanted(name, wanted)]
        number = 0
        try:
            for batch in data.select_columns(needed).with_format(None).iter(_BATCH):
                size = len(next(iter(batch.values()), ()))
                for row in zip(*(batch.get(name, [None] * size) for name in columns), strict=True):
                    number += 1
                    yield number, row
        except T5MixError:
            raise
        except Exception as error:  # decoding is anybody's code
            raise T5MixError(f"{self}, row {number + 1}: cannot be read ({type(error).__name__}: {error}).") from error


@functools.lru_cache(maxsize=32)
def _load(source: DatasetSplit) -> Any:
    folder = Path(source.dataset).expanduser()
    if not folder.is_dir() and (source.dataset[0] in "./~" or source.dataset.count("/") > 1):
        raise MissingFileError(f"There is no folder {folder} with a data set (working directory: {Path.cwd()}).")
    try:
        import datasets
    except ImportError as error:
        raise T5MixError(f"To read {source}, install datasets: pip install 't5mix[hf]'.") from error
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        if folder.is_dir() and any((folder / name).exists() for name in ("dataset_dict.json", "state.json")):
            return _saved(datasets.load_from_disk(str(folder)), source)
        name = str(folder) if folder.is_dir() else source.dataset
        return datasets.load_dataset(name, source.config, split=source.split, revision=source.revision)
    except T5MixError:
        raise
    except Exception as error:  # of the hub, the network, or the code that builds the data set
        raise T5MixError(f"{source}: {_explain(error, folder)}") from error
    finally:
        if shown:
            datasets.enable_progress_bars()


def _saved(data: Any, source: DatasetSplit) -> Any:
    """Returns the split of what `save_to_disk` wrote, which is a single split or several; it may be sliced."""
    import datasets

    name, bracket, _ = str(source.split).partition("[")
    splits = data if hasattr(data, "keys") else {name: data}
    if name not in splits and "+" not in name:
        raise UnknownNameError(f"split of the data set {source.dataset}", name, map(str, splits))
    if not bracket and "+" not in name:
        return splits[name]
    lengths = {str(name): len(rows) for name, rows in splits.items()}
    slices = datasets.ReadInstruction.from_spec(str(source.split)).to_absolute(lengths)
    return datasets.concatenate_datasets([splits[part.splitname].select(range(part.from_, part.to)) for part in slices])


def _explain(error: Exception, folder: Path) -> str:
    told = " ".join(str(error).split())
    if folder.is_dir():
        return f"the folder cannot be read ({type(error).__name__}: {told})."
    return (
        f"it cannot be loaded from the Hugging Face hub ({type(error).__name__}: {told}). Check its name, "
        "configuration, split and revision, and the network. Without network, save it where there is one "
        '(datasets.load_dataset(...).save_to_disk("folder")) and give that folder as dataset.'
    )
