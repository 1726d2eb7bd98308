"""What is asked of decoding, in the names and with the meanings of Hugging Face's GenerationConfig."""

import dataclasses
import math
from typing import Literal

from t5mix.configurable import configurable
from t5mix.errors import T5MixError


@configurable
class GenerationConfig:
    """How answers are decoded: greedily, by sampling, by beam search, or by sampling beams.

    Names and rules are those of Hugging Face's GenerationConfig and `generate`. Two defaults differ: `top_k` there is
    50, and lengths are given as `max_length`, which counts the start token too.

    Attributes:
        max_new_tokens: L, the most tokens of an answer, the end-of-sequence token included, the start token not; None
            leaves it to what decodes: the longest targets of training, say.
        min_new_tokens: the end-of-sequence token is barred until an answer has so many tokens.
        do_sample: draw tokens at random, rather than take the most probable.
        num_beams: K; above 1, beam search (with `do_sample`: beams are drawn without replacement).
        num_return_sequences: R, the answers to each input: samples, or the best of the beams.
        temperature: what logits are divided by before a token is drawn.
        top_k: draw among the k most probable tokens and those that are as probable as the last of them; 0 for all.
        top_p: draw among the fewest tokens whose probabilities make up p; 1 for all.
        min_p: draw among tokens at least p times as probable as the most probable one; 0 for all.
        repetition_penalty: above 1, tokens that the answer has, and the start token, become less probable: logits above
            0 are divided by it, others multiplied.
        no_repeat_ngram_size: no n tokens in a row, the start token among them, come twice in an answer; 0 for any.
        length_penalty: of beams. "huggingface" divides the sum of log-probabilities by length^penalty; "t5x" by
            ((5 + length) / 6)^penalty, where T5X takes 0.6. The larger, the longer the answers.
        early_stopping: of "huggingface" beams: True ends a search with K finished answers; False when the best that is
            left does not beat the worst of them at its present length; "never" when it could not at any length.
        forced_prefix: tokens that each answer begins with.
        seed: of the samples. Those of an input depend on it and on the input's number in the data, not on its batch.
        beam_rules: whose rules beams follow: Hugging Face's `_beam_search`, or T5X's `beam_search`.
    """

    max_new_tokens: int | None = None
    min_new_tokens: int = 0
    do_sample: bool = False
    num_beams: int = 1
    num_return_sequences: int = 1
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False
    forced_prefix: tuple[int, ...] = ()
    seed: int = 0
    beam_rules: Literal["huggingface", "t5x"] = "huggingface"

    def __post_init__(self) -> None:
        for name in ("num_beams", "num_return_sequences"):
            self._require(name, getattr(self, name) >= 1, "it must be 1 or more")
        self._require("max_new_tokens", self.max_new_tokens is None or self.max_new_tokens >= 1, "it must be 1 or more")
        for name in ("min_new_tokens", "top_k", "no_repeat_ngram_size"):
            self._require(name, getattr(self, name) >= 0, "it must be 0 or more")
        for name in ("temperature", "repetition_penalty"):
            value = getattr(self, name)
            self._require(name, 0 < value < math.inf, "it must be a number above 0")
        self._require("length_penalty", math.isfinite(self.length_penalty), "it must be a number")
        self._require("top_p", 0 < self.top_p <= 1, "it must be above 0, and at most 1 (all tokens)")
        self._require("min_p", 0 <= self.min_p <= 1, "it must be from 0 (all tokens) to 1")
        self._require(
            "early_stopping",
            isinstance(self.early_stopping, bool) or self.early_stopping == "never",
            'say false, true or "never"',
        )
        self._require("beam_rules", self.beam_rules in ("huggingface", "t5x"), "say huggingface or t5x")
        self._require("seed", 0 <= self.seed < 1 << 32, "it must be from 0 to 4294967295")
        self._require("forced_prefix", min(self.forced_prefix, default=0) >= 0, "tokens are 0 or more")
        self._check_lengths()
        self._check_combinations()

    @property
    def limit(self) -> int:
        """L.

        Raises:
            T5MixError: `max_new_tokens` is None.
        """
        if self.max_new_tokens is None:
            raise T5MixError("max_new_tokens is not set: say how many tokens an answer may have.")
        return self.max_new_tokens

    def with_limit(self, longest: int) -> "GenerationConfig":
        """Returns the same with `longest` for `max_new_tokens`, unless that is set.

        Raises:
            ValueError: answers would have to be longer.
        """
        return self if self.max_new_tokens is not None else dataclasses.replace(self, max_new_tokens=longest)

    def _check_lengths(self) -> None:
        limit = self.max_new_tokens
        for name, length in (("min_new_tokens", self.min_new_tokens), ("forced_prefix", len(self.forced_prefix))):
            if limit is not None and length > limit:
                raise ValueError(
                    f"{name} asks for {length} tokens, and max_new_tokens allows {limit}: raise the latter"
                )

    def _check_combinations(self) -> None:
        answers = self.num_return_sequences
        if self.num_beams > 1 and answers > self.num_beams:
            raise ValueError(
                f"num_return_sequences is {answers}, and num_beams {self.num_beams}: a search returns at most its "
                "beams. Raise num_beams, or set it to 1 with do_sample"
            )
        if self.num_beams == 1 and answers > 1 and not self.do_sample:
            raise ValueError(
                f"num_return_sequences is {answers}, and greedy decoding has one answer: set do_sample, or num_beams "
                f"to {answers} or more"
            )
        if not self.do_sample:
            self._forbid(("temperature", "top_k", "top_p", "min_p"), "only samples heed: set do_sample")
        if self.num_beams == 1:
            self._forbid(("length_penalty", "early_stopping", "beam_rules"), "only beams heed: raise num_beams above 1")
        elif self.beam_rules == "t5x":
            self._forbid(("early_stopping",), "T5X's beam search does not have: leave it out, or use Hugging Face's")

    def _require(self, name: str, right: bool, rule: str) -> None:
        if not right:
            raise ValueError(f"{name} is {getattr(self, name)!r}: {rule}")

    def _forbid(self, names: tuple[str, ...], reason: str) -> None:
        for name in names:
            if getattr(self, name) != getattr(type(self), name):
                raise ValueError(f"{name} is {getattr(self, name)!r}, which {reason}")
