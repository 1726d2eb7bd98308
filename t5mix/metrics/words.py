"""Words of text in any script."""

import functools
import re
from typing import Any

_ENGLISH = re.compile(r"[a-z0-9]+")
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"


def english_words(text: str) -> list[str]:
    """Returns the runs of a to z and 0 to 9, in lower case: ROUGE's words."""
    return _ENGLISH.findall(text.lower())


def unicode_words(text: str) -> list[str]:
    """Returns the words of text in any script, in lower case.

    A word is a run of letters, digits and their marks; in scripts that put no spaces between words (Chinese, Japanese,
    Thai, Lao, Khmer, Burmese), each letter with its marks.
    """
    return _unicode_pattern().findall(text.lower())


def written_without_spaces(text: str) -> bool:
    """Says whether most letters of a text are of a script that puts no spaces between words."""
    if text.isascii():
        return False
    spaceless, letters = (len(pattern.findall(text)) for pattern in _letter_patterns())
    return 2 * spaceless > letters


def mostly_english_letters(text: str) -> bool:
    """Says whether at least half of the letters of a text are a to z; of a text without letters too."""
    if text.isascii():
        return True
    _, letters = (len(pattern.findall(text)) for pattern in _letter_patterns())
    return 2 * sum(map(len, re.findall("[a-z]+", text.lower()))) >= letters


# `regex` knows scripts, and takes a moment to load.


@functools.cache
def _unicode_pattern() -> Any:
    import regex

    return regex.compile(rf"[{_SPACELESS}]\p{{M}}*|[[\p{{L}}\p{{N}}\p{{M}}]--[{_SPACELESS}]]+", regex.V1)


@functools.cache
def _letter_patterns() -> tuple[Any, Any]:
    import regex

    return regex.compile(rf"[{_SPACELESS}]"), regex.compile(r"\p{L}")
