"""The standard streams in locales that cannot write what commands print."""

import codecs
import io
import sys


def use_utf8() -> None:
    """Makes the standard streams read and write UTF-8 where the locale is ASCII, as Python does by itself for LANG=C.

    Predictions and tables then come out whole in cron jobs and containers without a locale. Another encoding is kept,
    and characters that it lacks are written as escapes.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        name = codecs.lookup(stream.encoding).name
        if name == "ascii":
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
        elif name != "utf-8" and stream is not sys.stdin:
            stream.reconfigure(errors="backslashreplace")
