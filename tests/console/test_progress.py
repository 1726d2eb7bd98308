"""Progress displays."""

import io

from t5mix.console.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_the_end_gives_a_line():
    stream = io.StringIO()
    with progress("decoding cola", 8, stream) as advance:
        advance(4)
        assert stream.getvalue() == ""  # seconds have not passed
        advance(4)
    assert stream.getvalue().startswith("decoding cola: 8 examples, ")


def test_on_a_terminal_there_is_a_bar():
    stream = Terminal()
    with progress("decoding cola", 8, stream) as advance:
        advance(8)
    assert "decoding cola" in stream.getvalue()
    assert "8/8" in stream.getvalue()


def test_no_label_shows_nothing():
    stream = io.StringIO()
    with progress(None, 8, stream) as advance:
        advance(8)
    assert stream.getvalue() == ""
