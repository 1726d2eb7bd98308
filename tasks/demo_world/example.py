"""What a generator hands over, and how a task's splits are kept apart."""

from collections.abc import Callable
from typing import NamedTuple

from t5mix.tasks.demo_world.dice import Dice

SPLITS = ("validation", "test", "train")  # the order in which they are drawn


class Example(NamedTuple):
    """One example in text.

    Attributes:
        inputs: what the model reads; empty for unlabelled text.
        targets: what it should write.
        answers: every text that counts as right, where there may be several.
        key: what must not occur twice in a task; the inputs (or the targets, where there are none) if empty.
    """

    inputs: str
    targets: str
    answers: tuple[str, ...] = ()
    key: str = ""


class Sizes(NamedTuple):
    """Number of examples in each split."""

    train: int
    validation: int
    test: int


# Makes one random example of a task for a split ("train", "validation" or "test").
Maker = Callable[[Dice, str], Example]


def pair_key(first: str, second: str) -> str:
    """Returns a key that does not depend on which of the two sentences comes first."""
    return " | ".join(sorted((first, second)))


def draw_splits(name: str, make: Maker, sizes: Sizes) -> dict[str, list[Example]]:
    """Draws a task's splits without a repeated key, neither inside a split nor across two.

    Each split has dice of its own, and the evaluation splits are drawn first, so that the size of the
    training split changes nothing in them.

    Raises:
        RuntimeError: if the maker does not have that many different examples to give.
    """
    seen: set[str] = set()
    splits: dict[str, list[Example]] = {}
    for split in SPLITS:
        count: int = getattr(sizes, split)
        dice = Dice(f"{name}/{split}")
        examples: list[Example] = []
        for _ in range(30 * count):
            if len(examples) == count:
                break
            example = make(dice, split)
            key = example.key or example.inputs or example.targets
            if key not in seen:
                seen.add(key)
                examples.append(example)
        if len(examples) < count:
            raise RuntimeError(f"{name} has only {len(examples)} different {split} examples, not {count}.")
        splits[split] = examples
    return splits
