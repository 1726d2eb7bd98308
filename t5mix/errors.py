"""Errors that a user can act on, and the search for the name that was probably meant."""

import difflib
from collections.abc import Iterable


class T5MixError(Exception):
    """Something the user can mend: the command line prints its text alone, without a traceback.

    The text names the bad value, what is allowed, and what to do about it.
    """


class UnknownNameError(T5MixError):
    """A name that no registry, file or configuration group holds.

    Args:
        noun: what was looked for, as the message should call it ("task", "configuration key").
        name: the name that was given.
        candidates: every valid name; the nearest ones are offered.
        hint: one more sentence, such as the command that lists all of them.
    """

    def __init__(self, noun: str, name: str, candidates: Iterable[str], hint: str = "") -> None:
        names = sorted(set(candidates))
        near = nearest(name, names)
        if near:
            offer = f"Did you mean {' or '.join(repr(n) for n in near)}?"
        elif names:
            offer = f"Known: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}."
        else:
            offer = "None is known."
        super().__init__(f"Unknown {noun} {name!r}. {offer} {hint}".rstrip())


def nearest(name: str, candidates: Iterable[str], count: int = 3) -> list[str]:
    """Returns up to `count` of the candidates that resemble `name`, best first."""
    return difflib.get_close_matches(name, list(candidates), n=count, cutoff=0.5)
