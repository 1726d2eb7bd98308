"""Compressed files, files behind URLs, and files that are not what they should be."""

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.sources import opening
from t5mix.sources.declaration import TaskDeclaration
from t5mix.sources.file_names import format_of
from t5mix.sources.file_readers import files_of, read_rows
from t5mix.sources.opening import line_blocks

fsspec = pytest.importorskip("fsspec")
zstandard = pytest.importorskip("zstandard")

CONTENT = ("text\tlabel\n" + "".join(f"example number {n}\t{n % 2}\n" for n in range(3000))).encode()
COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress}


def task(path: object) -> TaskDeclaration:
    return TaskDeclaration(files={"train": str(path)}, inputs="{text}", targets="label")


@pytest.mark.parametrize("ending", COMPRESS)
def test_compressed_files(tmp_path, ending):
    path = tmp_path / f"a.tsv{ending}"
    packed = COMPRESS[ending](CONTENT)
    path.write_bytes(packed)
    assert format_of(path) == "tsv"
    examples = list(task(path).examples(str(path)))
    assert (len(examples), examples[-1]["inputs"]) == (3000, "example number 2999")
    half = len(CONTENT) // 2
    path.write_bytes(COMPRESS[ending](CONTENT[:half]) + COMPRESS[ending](CONTENT[half:]))  # one archive after another
    assert list(task(path).examples(str(path))) == examples
    path.write_bytes(packed[: len(packed) * 2 // 3])
    with pytest.raises(T5MixError, match=rf"a\.tsv\{ending} is cut short: it ends before its \{ending} data do"):
        task(path).check()
    path.write_bytes(CONTENT)
    with pytest.raises(T5MixError, match=rf"a\.tsv\{ending} is not \{ending} data"):
        task(path).check()


def test_urls_of_fsspec():
    memory = fsspec.filesystem("memory")
    memory.pipe("/t5mix_test/b.tsv.gz", gzip.compress(b"text\tlabel\nlater\t1\n"))
    memory.pipe("/t5mix_test/a.tsv.gz", gzip.compress(b"text\tlabel\nfirst\t0\n"))
    declared = task("memory://t5mix_test/*.tsv.gz")
    declared.check()
    assert [example["inputs"] for example in declared.examples(declared.files["train"])] == ["first", "later"]
    assert files_of("memory://t5mix_test/a.tsv.gz") == ["memory://t5mix_test/a.tsv.gz"]
    memory.pipe("/t5mix_test/short.tsv.gz", gzip.compress(CONTENT)[:-100])
    for name, said in (
        ("none.tsv", "There is no file memory://t5mix_test/none.tsv"),
        ("none-*.tsv", "No file matches memory://t5mix_test/none-"),
        ("short.tsv.gz", "short.tsv.gz is cut short"),
    ):
        with pytest.raises(T5MixError, match=said):
            task(f"memory://t5mix_test/{name}").check()
    with pytest.raises(T5MixError, match=r"nosuch://x/a\.tsv cannot be read .*copy the file here"):
        task("nosuch://x/a.tsv").check()


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [("zstandard", "a.tsv.zst", "zstd"), ("fsspec", "memory://a.tsv", "remote"), ("pyarrow", "a.parquet", "parquet")],
)
def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path, monkeypatch, module, name, said):
    monkeypatch.setitem(sys.modules, module, None)
    path = name if "://" in name else tmp_path / name
    if isinstance(path, Path):
        path.write_bytes(b"")
    with pytest.raises(T5MixError, match=rf"To read .*, install {module}: pip install 't5mix\[{said}\]'"):
        list(read_rows(path))


@pytest.mark.parametrize("block", [1, 5, 1 << 18])
def test_lines(tmp_path, monkeypatch, block):
    monkeypatch.setattr(opening, "_BLOCK", block)
    path = tmp_path / "a.txt"
    for content, lines in (
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"\xef\xbb\xbfa\r\n\nb\rc\x0b\xe2\x80\xa8d\n e ", ["a", "", "b\rc\x0b\u2028d", " e "]),
    ):
        path.write_bytes(content)
        read = [(number, line) for first, texts in line_blocks(path) for number, line in enumerate(texts, first)]
        assert read == [*enumerate(lines, 1)]


def test_text_in_another_encoding(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("text\tlabel\na\t1\n".encode("utf-16"))
    with pytest.raises(T5MixError, match=r"line 1: not UTF-8 \(byte 0xff at offset 0 of the file\).*iconv -f utf-16"):
        list(read_rows(path))


def test_a_line_that_is_no_example(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_BLOCK", 100)
    monkeypatch.setattr(opening, "LONGEST", 1000)
    path = tmp_path / "a.txt"
    path.write_text("short\n" + "x" * 3000)
    with pytest.raises(T5MixError, match=r"a\.txt, line 2 is longer than"):
        list(read_rows(path))


def test_a_file_that_grows_while_it_is_read(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(CONTENT * 20)
    rows = read_rows(path)
    next(rows)
    with path.open("ab") as file:
        file.write(b"one more\t1\n")
    with pytest.raises(T5MixError, match=r"a\.tsv changed while it was read"):
        list(rows)


@pytest.mark.parametrize("what", ["replaced", "removed"])
def test_a_file_that_another_takes_the_place_of_while_it_is_read(tmp_path, what):
    path, other = tmp_path / "a.tsv", tmp_path / "b.tsv"
    path.write_bytes(CONTENT * 20)
    shutil.copy2(path, other)  # as long, and of the same time
    rows = read_rows(path)
    next(rows)
    other.replace(path) if what == "replaced" else path.unlink()
    with pytest.raises(T5MixError, match=r"a\.tsv changed while it was read"):
        list(rows)


def test_files_that_may_not_be_read(tmp_path):
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(T5MixError, match=r"folder\.tsv is a folder"):
        list(read_rows(tmp_path / "folder.tsv"))
    (tmp_path / "saved" / "train").mkdir(parents=True)
    (tmp_path / "saved" / "train" / "dataset_info.json").touch()
    for folder, files in (("saved", "saved/train"), ("saved/train", "saved/train")):
        with pytest.raises(T5MixError, match=rf"of a data set.* are {tmp_path}/{files}/\*\.arrow; .*{{dataset: "):
            list(read_rows(tmp_path / folder, "text"))
    if os.geteuid():
        (tmp_path / "a.tsv").touch(mode=0)
        with pytest.raises(T5MixError, match=r"a\.tsv cannot be read: Permission denied"):
            list(read_rows(tmp_path / "a.tsv"))


def test_only_what_is_needed_is_loaded():
    heavy = ("pyarrow", "datasets", "fsspec", "zstandard", "pandas")
    code = f"import sys, t5mix.sources.declaration; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
