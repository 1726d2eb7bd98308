"""What is wrong with the rows of files: raised at the first, or collected to be told together."""

import contextlib
from collections.abc import Iterator

from t5mix.errors import T5MixError


class RowError(T5MixError):
    """What is wrong with one row; whoever knows where the row stands puts that before it."""


class TooManyProblemsError(T5MixError):
    """As many problems as are told at once."""


class Problems:
    """Collects what is wrong, up to a limit.

    Args:
        limit: with which problem reading stops; 1, the default, for the first.
    """

    def __init__(self, limit: int = 1) -> None:
        self._limit = limit
        self._messages: list[str] = []

    def add(self, message: str) -> None:
        """Notes one problem.

        Raises:
            TooManyProblemsError: it reaches the limit; the text has all of them.
        """
        self._messages.append(message)
        if len(self._messages) >= self._limit:
            more = f"\nThese are the first {self._limit}; there may be more." if self._limit > 1 else ""
            raise TooManyProblemsError("\n".join(self._messages) + more)

    def __len__(self) -> int:
        return len(self._messages)

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        """A context in which an error ends the work on one file, and counts as one of the problems."""
        try:
            yield
        except TooManyProblemsError:
            raise
        except T5MixError as error:
            self.add(str(error))

    def raise_any(self) -> None:
        """Raises a T5MixError with a line for each problem, if there are any."""
        if self._messages:
            raise T5MixError("\n".join(self._messages))
