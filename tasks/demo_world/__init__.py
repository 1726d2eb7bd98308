"""The demo world: a small generated world of English text, and ten tasks about it.

Pure Python, deterministic on every version, nothing on disk: `splits(task)` makes a task's examples when
they are first asked for. `t5mix.tasks.demo` registers them with seqio.
"""

import functools

from t5mix.tasks.demo_world import (
    acceptability,
    entailment,
    paragraphs,
    paraphrase,
    pronouns,
    questions,
    sentiment,
    similarity,
    summaries,
    translation,
)
from t5mix.tasks.demo_world.example import Example, Maker, Sizes, draw_splits

# Sizes differ as those of real benchmarks do, from hundreds to tens of thousands: mixing has to matter.
MAKERS: dict[str, tuple[Maker, Sizes]] = {
    "demo_acceptability": (acceptability.make, Sizes(train=6000, validation=400, test=400)),
    "demo_sentiment": (sentiment.make, Sizes(train=5000, validation=400, test=400)),
    "demo_entailment": (entailment.make, Sizes(train=20000, validation=500, test=500)),
    "demo_paraphrase": (paraphrase.make, Sizes(train=3000, validation=400, test=400)),
    "demo_similarity": (similarity.make, Sizes(train=4000, validation=400, test=400)),
    "demo_qa": (questions.reading, Sizes(train=12000, validation=400, test=400)),
    "demo_closed_book": (questions.closed_book, Sizes(train=1500, validation=200, test=200)),
    "demo_pronoun": (pronouns.make, Sizes(train=400, validation=200, test=200)),
    "demo_translation": (translation.make, Sizes(train=30000, validation=400, test=400)),
    "demo_summary": (summaries.make, Sizes(train=4000, validation=300, test=300)),
    "demo_text": (paragraphs.make, Sizes(train=20000, validation=300, test=300)),
}


@functools.cache
def splits(task: str) -> dict[str, list[Example]]:
    """Returns the examples of a task: {"train": [...], "validation": [...], "test": [...]}."""
    make, sizes = MAKERS[task]
    return draw_splits(task, make, sizes)


__all__ = ["MAKERS", "Example", "Sizes", "splits"]
