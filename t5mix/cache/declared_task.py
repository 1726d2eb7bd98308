"""Tasks declared in configuration as tasks of a run: read, tokenised and scored with neither TensorFlow nor seqio."""

import dataclasses
import functools
import importlib.metadata
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.cache.file_identity import file_identity
from t5mix.cache.run_task import FIXED_SEED, RunTask, SplitSpec
from t5mix.data.manifest import VocabularyEntry
from t5mix.data.ragged import TokenBatch
from t5mix.data.token_store import FEATURES, FORMAT
from t5mix.data.tokenizer import EOS, Tokenizer
from t5mix.errors import T5MixError
from t5mix.files import sha256_of_text
from t5mix.metrics.declared import scoring_of
from t5mix.metrics.example_scores import CHOICES
from t5mix.metrics.perfect import PerfectScore, perfect_score
from t5mix.metrics.scoring import Scoring
from t5mix.preprocessors import unlabelled_text
from t5mix.preprocessors.span_corruption import SpanCorruption
from t5mix.sources.declaration import TaskDeclaration, no_targets
from t5mix.sources.shards import Shard, files_of_shard, part_of_files, shard_name, shards_of, without_empty

_BATCHED = 1024  # examples that are tokenised at once
_FOLDERS = ("sources", "preprocessors")  # whose code decides what examples a declaration stands for


class DeclaredTask(RunTask):
    """A declared task.

    Args:
        name: its name in mixtures.
        declaration: of the task.
        vocabulary: what its inputs and targets are tokenised with.
    """

    source = "files"

    def __init__(self, name: str, declaration: TaskDeclaration, vocabulary: VocabularyEntry) -> None:
        self.name = name
        self.declaration = declaration
        self.vocabulary = vocabulary
        self.splits = tuple(declaration.files)
        self.metrics = tuple(metric.__name__ for metric in self.scoring.metrics)
        self.likelihoods = "target_log_prob" in self.scoring.takes
        compared = declaration.choices() if "choice_log_probs" in self.scoring.takes else ()
        self.choices = {choice: tuple(self._tokenizer.encode(choice)) for choice in compared}

    @functools.cached_property
    def scoring(self) -> Scoring:
        """Its post-processor and metrics.

        Raises:
            T5MixError: see `scoring_of`.
        """
        try:
            return scoring_of(
                self.declaration,
                lambda text: self._tokenizer.decode(self._tokenizer.encode(text)),
                lambda text: len(self._tokenizer.encode(text)),
            )
        except T5MixError as error:
            raise T5MixError(f"Declared task {self.name!r}: {error}") from error

    @functools.cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer(self.vocabulary)

    @property
    def _corruption(self) -> SpanCorruption:
        return SpanCorruption(self.declaration.noise_density, self.declaration.mean_span_length)

    def vocabularies(self) -> tuple[VocabularyEntry, VocabularyEntry]:
        """Returns the vocabulary of inputs and targets, one and the same."""
        return self.vocabulary, self.vocabulary

    def describe(self, spec: SplitSpec, seed: int | None) -> dict[str, Any]:
        """Returns the declaration, the content of the files, the vocabulary and the code that makes examples of them.

        What sees no token, such as the metrics, does not count.
        """
        options = dataclasses.asdict(self.declaration)
        labels = [[str(value), text] for value, text in (self.declaration.labels or {}).items()]
        del options["files"], options["metrics"]
        return {
            **({"shards": spec.source_shards} if spec.is_streamed else {}),
            "task": self.name,
            "split": spec.split,
            "lengths": spec.lengths,
            "vocabulary": self.vocabulary.identity,
            "declaration": {**options, "labels": labels},
            "files": [_content(shard, hashed=not spec.is_streamed) for shard in self._shards(spec.split)],
            "code": _code(),
            "sentencepiece": importlib.metadata.version("sentencepiece"),
            "seed": seed,
            "store": FORMAT,
        }

    def check_lengths(self, lengths: Mapping[str, int]) -> None:
        """Checks that the vocabulary has the sentinels that span corruption needs, and that no label is cut."""
        if self.declaration.objective == "span_corruption":
            self._corruption.check_sentinels(self.name, lengths, len(self._tokenizer.sentinels))
        longest, tokens = max(self.choices.items(), key=lambda choice: len(choice[1]), default=("", ()))
        if len(tokens) > lengths["targets"]:
            compare = " and ".join(name for name in CHOICES if name in self.metrics)
            raise T5MixError(
                f"Declared task {self.name!r}: the label {longest!r} has {len(tokens)} tokens where lengths.targets "
                f"allows {lengths['targets']}, and whole labels are needed for {compare}. Set lengths.targets to "
                f"{len(tokens)} or more, shorten the label, or leave {compare} out."
            )

    def check_files(self, splits: list[str]) -> None:
        """Reads all rows of the splits."""
        self.declaration.check(splits)

    def shards(self, split: str) -> list[str]:
        """Returns the split's files, but for those without examples; of parallel text, the first of each pair."""
        return [shard_name(shard) for shard in self._shards(split)]

    def _shards(self, split: str) -> list[Shard]:
        return without_empty(shards_of(self.declaration.files[split]), self.declaration.reading)

    def shard_bytes(self, split: str) -> list[int] | None:
        """Returns the sizes of the split's files; None if some are not local."""
        files = [files_of_shard(shard) for shard in self._shards(split)]
        if not all(isinstance(file, Path) for shard in files for file in shard):
            return None
        return [sum(Path(file).stat().st_size for file in shard) for shard in files]

    def size(self, split: str) -> int | None:
        """Returns None: files have to be read for it."""
        return None

    def is_random(self, spec: SplitSpec, source_shard: int) -> bool:
        """Whether its objective draws what it hides."""
        return self.declaration.objective == "span_corruption"

    def batches(self, spec: SplitSpec, seed: int, source_shard: int = 0) -> Iterator[TokenBatch]:
        """Yields the tokens of its examples; see `RunTask.batches`."""
        if not self.declaration.has_targets(spec.split):
            raise T5MixError(f"Declared task {self.name!r}: {no_targets(self.name, spec.split)}")
        shards = self._shards(spec.split)
        examples = self.declaration.examples(shards[source_shard :: spec.source_shards])
        if self.declaration.objective is None:
            for rows in _at_a_time(examples):
                inputs, targets = (self._tokenizer.encode_texts([row[name] for row in rows]) for name in FEATURES)
                yield inputs.with_end(EOS), targets.with_end(EOS)
            return
        tokens = self._text_tokens(examples)
        if self.declaration.objective == "lm":
            yield from unlabelled_text.language_model_examples(tokens, spec.lengths, EOS)
        else:
            sentinels = self._tokenizer.sentinels
            yield from unlabelled_text.span_corruption_examples(
                tokens, spec.lengths, self._corruption, seed=seed, sentinels=sentinels, eos=EOS
            )

    def perfect_score(self, spec: SplitSpec) -> PerfectScore | None:
        """Returns what a perfect model would score; None for a split without targets."""
        if not self.declaration.has_targets(spec.split):
            return None
        return perfect_score(self.scoring, *self.scored_examples(spec))

    def scored_examples(self, spec: SplitSpec) -> tuple[list[str], list[dict[str, Any]]]:
        """Returns the target texts of a split, uncut, and the examples that post-processors look at."""
        if self.declaration.objective is None:
            examples = list(self.declaration.examples(self._shards(spec.split)))
            return [example["targets"] for example in examples], examples
        examples = list(self.raw_examples(spec, FIXED_SEED))
        return [self._tokenizer.decode(example["targets"]) for example in examples], examples

    def raw_examples(self, spec: SplitSpec, seed: int) -> Iterator[dict[str, Any]]:
        """Yields its examples: tokens, their texts where it has some, and the answers."""
        texts = iter(()) if self.declaration.objective else self.declaration.examples(self._shards(spec.split))
        pairs = itertools.chain.from_iterable(_pairs(batch) for batch in self.batches(spec, seed))
        for (inputs, targets), fields in itertools.zip_longest(pairs, texts, fillvalue={}):
            tokens = {"inputs": inputs, "targets": targets}
            yield tokens | {name if name not in FEATURES else f"{name}_pretokenized": fields[name] for name in fields}

    def _text_tokens(self, examples: Iterator[dict[str, Any]]) -> Iterator[np.ndarray]:
        for rows in _at_a_time(examples):
            yield self._tokenizer.encode_texts([row[self.declaration.field] for row in rows]).values


def _content(shard: Shard, *, hashed: bool) -> list[Any]:
    return [part_of_files(shard), *(file_identity(file, hashed=hashed) for file in files_of_shard(shard))]


def _at_a_time(examples: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while rows := list(itertools.islice(examples, _BATCHED)):
        yield rows


def _pairs(batch: TokenBatch) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return zip(*(rows.rows() for rows in batch), strict=True)


@functools.cache
def _code() -> str:
    """Returns a hash of the code that makes examples of files."""
    package = Path(__file__).resolve().parents[1]
    files = sorted(file for folder in _FOLDERS for file in (package / folder).glob("*.py"))
    return sha256_of_text("".join(file.read_text(encoding="utf-8") for file in files))
