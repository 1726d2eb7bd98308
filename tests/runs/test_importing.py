"""Checkpoints of Transformers as the start of runs, and runs as folders of Transformers."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from t5mix.cache.vocabulary import vocabulary_entry
from t5mix.checkpoint import safetensors_files
from t5mix.cli.main import main
from t5mix.errors import T5MixError
from t5mix.interop.foreign import T5_IDS
from t5mix.interop.huggingface_config import write_config
from t5mix.interop.huggingface_names import huggingface_names
from t5mix.model.presets import PRESETS
from t5mix.model.t5 import abstract_model, count_params
from t5mix.runs import importing
from t5mix.runs.exporting import export_model
from t5mix.runs.importing import import_checkpoint, starting_folder
from t5mix.runs.load import load_model
from tests.support.huggingface_folders import TINY, tensors, write_folder
from tests.support.letters import letters_config

BYT5 = dataclasses.replace(TINY, vocab_size=384)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a ByT5; what is made of it is kept in a cache of the test's own."""
    monkeypatch.setattr(importing, "_CACHE", tmp_path / "cache")
    return write_folder(tmp_path / "byt5", BYT5, changed={"tokenizer_class": "ByT5Tokenizer"})


def test_what_is_imported_and_exported_again_is_the_same(source: Path, tmp_path: Path):
    checkpoint = import_checkpoint(source, tmp_path / "imported")
    assert checkpoint == tmp_path / "imported" / "checkpoints" / "0"
    model = load_model(checkpoint)
    assert model.config == BYT5
    assert model.tokenizer.encode("a") == [100, 1]
    export_model(tmp_path / "imported", tmp_path / "out")
    before, after = (safetensors.numpy.load_file(folder / "model.safetensors") for folder in (source, tmp_path / "out"))
    assert before.keys() == after.keys()
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values)


def test_what_is_exported_to_t5x_comes_back(source: Path, tmp_path: Path):
    config = dataclasses.replace(BYT5, relative_buckets=32)
    write_folder(source, config, changed={"tokenizer_class": "ByT5Tokenizer"})
    import_checkpoint(source, tmp_path / "imported")
    export_model(tmp_path / "imported", tmp_path / "out", "t5x")
    assert (tmp_path / "out" / "checkpoint_0" / "checkpoint").is_file()
    import_checkpoint(tmp_path / "out", tmp_path / "again", vocabulary_entry("bytes", 0))
    one, other = (load_model(tmp_path / name) for name in ("imported", "again"))
    assert dataclasses.replace(one.config, dropout_rate=other.config.dropout_rate) == other.config
    assert one.params.keys() == other.params.keys()
    for name, leaf in one.params.items():
        np.testing.assert_array_equal(other.params[name], leaf)


def test_eleven_billion_parameters_are_planned_without_loading_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """The files are sparse: a header, and a length that says 42 GiB."""
    folder, config = tmp_path / "t5-11b", PRESETS["t5_11b"]
    folder.mkdir()
    shapes, index = abstract_model(config)[1], {}
    names = sorted((name, path, transposed) for path, (name, transposed) in huggingface_names(config).items())
    for number, first in enumerate(range(0, len(names), 200)):
        file, header, end = f"model-{number}.safetensors", {}, 0
        for name, path, transposed in names[first : first + 200]:
            shape = shapes[path].shape[::-1] if transposed else shapes[path].shape
            begin, end = end, end + 4 * math.prod(shape)
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
            index[name] = file
        text = json.dumps(header).encode()
        with open(folder / file, "wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            out.truncate(8 + len(text) + end)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    settings = {**write_config(config, T5_IDS), "tokenizer_class": "ByT5Tokenizer"}
    (folder / "config.json").write_text(json.dumps(settings))
    monkeypatch.setattr(importing, "check_room", lambda folder, needed: None)
    monkeypatch.setattr(safetensors_files, "_read", lambda file, name: pytest.fail(f"{name} was loaded"))
    assert main(["import", str(folder), str(tmp_path / "out"), "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["parameters"] == count_params(config)
    assert planned["model"]["num_heads"] == 128


def test_a_folder_is_imported_once_for_as_long_as_it_stays_the_same(source: Path):
    first = starting_folder(source)
    assert starting_folder(source) == first
    assert starting_folder(first) == first  # a checkpoint of t5mix is one already
    write_folder(source, BYT5, changed={"tokenizer_class": "ByT5Tokenizer"}, weights=tensors(BYT5, seed=1))
    assert starting_folder(source) != first


def test_what_cannot_be_imported(source: Path, tmp_path: Path):
    out = tmp_path / "imported"
    with pytest.raises(T5MixError, match=r"There is no folder .*nowhere"):
        import_checkpoint(tmp_path / "nowhere", out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(T5MixError, match=r"is no checkpoint that t5mix imports"):
        import_checkpoint(tmp_path / "empty", out)
    without_vocabulary = write_folder(tmp_path / "bare", BYT5)
    with pytest.raises(T5MixError, match=r"holds no vocabulary.*t5mix import FROM TO --vocabulary FILE"):
        import_checkpoint(without_vocabulary, out)
    import_checkpoint(without_vocabulary, tmp_path / "given", vocabulary_entry("bytes", 0))
    small = write_folder(tmp_path / "small", TINY, changed={"tokenizer_class": "ByT5Tokenizer"})
    with pytest.raises(T5MixError, match=r"the vocabulary has 259 ids, .* the embedding 20 rows"):
        import_checkpoint(small, out)
    madlad = write_folder(tmp_path / "madlad", BYT5, changed={"pad_token_id": 1, "eos_token_id": 2})
    with pytest.raises(T5MixError, match=r"trained with 1 for padding, 2 for the end and 0 before the first token"):
        import_checkpoint(madlad, out)
    assert not out.exists()
    out.mkdir()
    with pytest.raises(T5MixError, match=r"imported exists already"):
        import_checkpoint(source, out)


def test_a_model_with_modules_that_cannot_be_merged_is_not_exported(tmp_path: Path, source: Path):
    with pytest.raises(T5MixError, match=r"exists already"):
        export_model(source, source)


@pytest.mark.slow
def test_a_run_from_a_folder_to_a_folder(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The model and the vocabulary need not be said; a merged LoRA gives Transformers what the run predicts."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{chr(97 + number)} {chr(98 + number % 7)}\t{number % 2}" for number in range(24)]
    for split in ("train", "validation"):
        (tmp_path / f"{split}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    config = letters_config("steps: 4, batch_size: 4, log_every: 2", finetuning="lora")
    left_open = [line for line in config.splitlines() if not line.startswith(("vocabulary", "model"))]
    (tmp_path / "own.yaml").write_text("\n".join(left_open), encoding="utf-8")
    assert main(["train", "--config", "own.yaml", f"start_from={source}"]) == 0
    recorded = json.loads((tmp_path / "run" / "experiment.json").read_text("utf-8"))["experiment"]
    assert (recorded["vocabulary"], recorded["extra_ids"]) == ("bytes", 0)
    assert recorded["model"]["d_model"] == BYT5.d_model
    assert main(["train", "--config", "own.yaml", f"start_from={source}", "training.steps=6", "run_dir=run"]) == 2
    assert "training.steps: 4 there, 6 here" in capsys.readouterr().err

    (tmp_path / "questions.txt").write_text("letters: ab ab\nletters: cd cd\n", encoding="utf-8")
    asked = ["--input", "questions.txt", "--max-length", "8"]
    assert main(["predict", "run", *asked]) == 0
    wanted = capsys.readouterr().out
    assert main(["export", "run", "adapter", "--format", "peft"]) == 0
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (settings["peft_type"], settings["base_model_name_or_path"]) == ("LORA", str(source))
    assert main(["export", "run", "out"]) == 0
    capsys.readouterr()
    assert main(["predict", "out", *asked]) == 0
    assert capsys.readouterr().out == wanted
    assert main(["train", "--config", "own.yaml", f"start_from={source}", "model.d_model=16", "run_dir=other"]) == 2
    assert "model.d_model is 8 there and 16 here" in capsys.readouterr().err
