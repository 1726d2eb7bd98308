import re
from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.yaml_files import packaged_yaml, parse_yaml, read_yaml


def test_the_packages_files_are_found_by_name():
    assert list(packaged_yaml("t5mix.sweep", "presets")) == ["table10", "table11", "table12"]
    assert all(path.is_file() for path in packaged_yaml("t5mix.config", "experiments").values())


def test_what_a_file_holds_is_read_with_or_without_a_byte_order_mark(tmp_path: Path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfname: \xc3\xb6\n")
    assert read_yaml(tmp_path / "a.yaml") == {"name": "ö"}


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"foo: [", "line 1, column 7: this is not YAML: "),
        (b"a: 1\nb: [1\nc: 2\n", "line 3, column 2: this is not YAML: while parsing a flow sequence"),
        (b"a: 1\n\tb: 2\n", "line 2, column 1: this is not YAML: "),
        (b"a: b: c\n", "line 1, column 5: this is not YAML: mapping values are not allowed here."),
        (b"a: *b\n", "line 1, column 4: this is not YAML: found undefined alias"),
        (b"a: !x 1\n", "line 1, column 4: this is not YAML: could not determine a constructor"),
        (b"a: 1\nb: \x07\n", "line 2, column 4: YAML does not allow the character U+0007."),
        (b"a: 1\nb: gr\xf6\xdfe\n", "line 2: this is not UTF-8. Save the file as UTF-8."),
        (b"tasks:\n  t: {x: 1}\n  u: {}\n  t: {x: 2}\n", "line 4, column 3: the key t is there twice. Rename it"),
        (b"a: {0: x, 0: y}\n", "line 1, column 11: the key 0 is there twice"),
        (b"a: 2024-13-45\n", ": this is not YAML: month must be in 1..12."),
    ],
)
def test_an_error_has_file_line_and_column(tmp_path: Path, raw: bytes, where: str):
    path = tmp_path / "bad.yaml"
    path.write_bytes(raw)
    separator = "" if where.startswith(":") else ", "
    with pytest.raises(T5MixError, match="^" + re.escape(f"{path}{separator}{where}")):
        read_yaml(path)


def test_merged_keys_are_none_that_are_there_twice():
    text = "base: &base {x: 1, y: 2}\nown: {<<: *base, x: 3}\nmixed: {0: a, '0': b}\n"
    assert parse_yaml(text, "") == {"base": {"x": 1, "y": 2}, "own": {"x": 3, "y": 2}, "mixed": {0: "a", "0": "b"}}


def test_text_is_named_after_its_source():
    with pytest.raises(T5MixError, match=r"^--option x, line 1, column 3: this is not YAML"):
        parse_yaml("[1", "--option x")
