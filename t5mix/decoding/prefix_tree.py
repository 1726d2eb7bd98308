"""The answers that are allowed, as a prefix tree in arrays: what may come next is a look-up on the device."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from t5mix.decoding.config import GenerationConfig
from t5mix.errors import T5MixError


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["tokens", "first_child", "num_children"],
    meta_fields=["most_children", "answers", "shortest", "longest"],
)
@dataclasses.dataclass(frozen=True)
class PrefixTree:
    """A prefix tree of token sequences; node 0 is the root, and the children of a node have numbers in a row.

    Attributes:
        tokens: [nodes + most_children] int32, the token that leads to each node; then padding.
        first_child: [nodes] int32, the first child of each node.
        num_children: [nodes] int32, how many it has; a node at an answer's end has none.
        most_children: the largest of these numbers.
        answers: how many different answers there are.
        shortest: tokens of the shortest answer, the end-of-sequence token included.
        longest: tokens of the longest one.
    """

    tokens: jax.Array
    first_child: jax.Array
    num_children: jax.Array
    most_children: int
    answers: int
    shortest: int
    longest: int

    @classmethod
    def of(cls, answers: Sequence[Sequence[int]], *, eos_id: int, pad_id: int = 0) -> "PrefixTree":
        """Makes the tree of some answers.

        Args:
            answers: the tokens of each, without the end-of-sequence token; one that begins another is fine.
            eos_id: the token that ends each.
            pad_id: the padding token, which none may have.

        Raises:
            T5MixError: there are no answers, or one has a token that it cannot have.
        """
        if not answers:
            raise T5MixError("No answers are allowed: give one or more.")
        for answer in answers:
            if wrong := [token for token in answer if token in (eos_id, pad_id) or token < 0]:
                raise T5MixError(
                    f"The allowed answer {[*answer]} has the token {wrong[0]}; tokens are above 0, and end of sequence "
                    f"({eos_id}) and padding ({pad_id}) are not part of an answer."
                )
        ended = {(*map(int, answer), eos_id) for answer in answers}
        tokens, first_child, num_children = [pad_id], [], []
        # Breadth first, so that the children of a node are numbered one after the other.
        level = [(0, sorted(ended))]
        while level:
            below = []
            for depth, group in level:
                followers: dict[int, list[tuple[int, ...]]] = {}
                for answer in group:
                    if depth < len(answer):
                        followers.setdefault(answer[depth], []).append(answer)
                first_child.append(len(tokens))
                num_children.append(len(followers))
                tokens.extend(followers)
                below.extend((depth + 1, group) for group in followers.values())
            level = below
        most, lengths = max(num_children), [len(answer) for answer in ended]
        return cls(
            tokens=jnp.asarray(np.array([*tokens, *[pad_id] * most], np.int32)),
            first_child=jnp.asarray(np.array(first_child, np.int32)),
            num_children=jnp.asarray(np.array(num_children, np.int32)),
            most_children=most,
            answers=len(ended),
            shortest=min(lengths),
            longest=max(lengths),
        )

    def check(self, config: GenerationConfig) -> None:
        """Raises T5MixError if a configuration keeps these answers from being given."""
        if self.longest > config.limit:
            raise T5MixError(
                f"max_new_tokens is {config.limit}, and the longest allowed answer has {self.longest} tokens, "
                f"its end included: raise max_new_tokens to {self.longest}."
            )
        if self.shortest <= config.min_new_tokens:
            raise T5MixError(
                f"min_new_tokens is {config.min_new_tokens}, and the shortest allowed answer has {self.shortest - 1}: "
                f"lower min_new_tokens to {self.shortest - 1}."
            )
        for name in ("no_repeat_ngram_size", "forced_prefix"):
            if getattr(config, name):
                raise T5MixError(f"{name} cannot be combined with allowed answers, which it may bar: leave it out.")
        if config.num_beams > 1 and config.num_return_sequences > self.answers:
            raise T5MixError(
                f"num_return_sequences is {config.num_return_sequences}, and {self.answers} answers are allowed: lower "
                f"num_return_sequences to {self.answers}."
            )

    def children(self, nodes: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The tokens [..., C] that lead on from nodes [...], and which of them are real; C is `most_children`."""
        offsets = jnp.arange(self.most_children)
        tokens = self.tokens[self.first_child[nodes][..., None] + offsets]
        return tokens, offsets < self.num_children[nodes][..., None]

    def descend(self, nodes: jax.Array, tokens: jax.Array) -> jax.Array:
        """The nodes [...] that tokens [...] lead to from nodes [...]; any where they lead nowhere."""
        children, are_real = self.children(nodes)
        child = jnp.argmax((children == tokens[..., None]) & are_real, axis=-1).astype(jnp.int32)
        return jnp.minimum(self.first_child[nodes] + child, len(self.first_child) - 1)
