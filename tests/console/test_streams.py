import io
import sys

import pytest

from t5mix.console.streams import use_utf8


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("ascii", "größe →".encode()), ("utf-8", "größe →".encode()), ("latin-1", b"gr\xf6\xdfe \\u2192")],
)
def test_what_is_printed_never_fails(encoding: str, written: bytes, monkeypatch: pytest.MonkeyPatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    use_utf8()
    sys.stdout.write("größe →")
    sys.stdout.flush()
    assert raw.getvalue() == written


def test_input_is_utf8_where_the_locale_is_ascii(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("größe".encode()), encoding="ascii"))
    use_utf8()
    assert sys.stdin.read() == "größe"


def test_streams_that_are_no_files_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)
    use_utf8()
