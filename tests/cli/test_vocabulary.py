"""`t5mix vocab train` without --fields learns from all text, and says what it read."""

from pathlib import Path

import pytest
import sentencepiece

from t5mix.cli.main import main
from tests.support.data_files import sentences


def test_a_vocabulary_of_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("\n".join(sentences(50)), encoding="utf-8")
    rows = "".join(f"{text.replace('The', 'Ö')}\t{index}\n" for index, text in enumerate(sentences(50, seed=1)))
    Path("rows.tsv").write_text("text\tid\n" + rows, encoding="utf-8")
    command = ["vocab", "train", "notes.txt", "rows.tsv", "--output", "v.model"]
    assert main([*command, "--size", "8192"]) == 2
    assert "of 8192 ids cannot be made of this text, which allows sizes of" in capsys.readouterr().err
    assert main([*command, "--size", "220"]) == 0
    shown = capsys.readouterr()
    assert shown.err == "notes.txt: 50 lines\nrows.tsv: 50 lines, fields text (without id)\n"
    assert shown.out == "v.model: 220 ids, 100 of them sentinels.\n"
    assert 2 not in sentencepiece.SentencePieceProcessor(model_file="v.model").EncodeAsIds("Ö")


def test_the_format_of_files_whose_names_do_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{index}\t{text}\n" for index, text in enumerate(sentences(50)))
    Path("release.txt").write_text("id\ttext\n" + rows, encoding="utf-8")
    command = ["vocab", "train", "release.txt", "--output", "v.model", "--size", "220"]
    assert main([*command, "--format", "tsv"]) == 0
    assert capsys.readouterr().err == "release.txt: 50 lines, fields text (without id)\n"
