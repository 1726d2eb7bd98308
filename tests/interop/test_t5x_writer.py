import dataclasses
from pathlib import Path
from typing import Any

import flax.serialization
import ml_dtypes
import numpy as np
import pytest
import tensorstore as ts

from t5mix.errors import T5MixError
from t5mix.interop.t5x import read_t5x
from t5mix.interop.t5x_writer import write_t5x
from t5mix.model.config import T5Config
from tests.support.foreign_checkpoints import SQUARE, UNEQUAL, assert_same, random_params, t5x_arrays


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("config", [UNEQUAL, SQUARE], ids=["unequal", "square"])
def test_what_is_written_has_the_names_and_layout_of_t5x(tmp_path: Path, config: T5Config):
    params = random_params(config)
    path = write_t5x(params, config, tmp_path, 1000)
    assert path == tmp_path / "checkpoint_1000"
    tree = flax.serialization.msgpack_restore((path / "checkpoint").read_bytes())
    assert tree["version"] == 3
    step = tree["optimizer"]["state"].pop("step")
    assert (step, step.dtype) == (1000, np.int32)
    expected = t5x_arrays(params, config)
    names = {f"target.{name.replace('/', '.')}": name for name in expected}
    assert {child.name for child in path.iterdir()} == {*names, "checkpoint", "config.gin"}
    for name, array in expected.items():
        leaf = tree["optimizer"]["target"]
        for part in name.split("/"):
            leaf = leaf[part]
        assert leaf["kvstore"] == {"driver": "file", "path": f"target.{name.replace('/', '.')}/"}
        assert leaf["metadata"]["compressor"] == {"id": "gzip", "level": 1}
        assert leaf["metadata"]["chunks"] == list(array.shape)
        leaf["kvstore"]["path"] = str(path / leaf["kvstore"]["path"])
        stored = ts.open(ts.Spec(leaf)).result().read().result()  # as T5X opens it
        assert stored.dtype == array.dtype
        np.testing.assert_array_equal(stored, array)


@pytest.mark.parametrize(
    ("config", "dtype"), [(UNEQUAL, np.float32), (SQUARE, ml_dtypes.bfloat16)], ids=["float32", "bfloat16"]
)
def test_round_trip_is_identical(tmp_path: Path, config: T5Config, dtype: Any):
    config = dataclasses.replace(config, dropout_rate=0.25)
    params = {path: array.astype(dtype) for path, array in random_params(config).items()}
    params["encoder/final_norm/scale"] = np.zeros_like(params["encoder/final_norm/scale"])
    checkpoint = read_t5x(write_t5x(params, config, tmp_path / "first", 3))
    assert checkpoint.config == config
    assert_same(checkpoint.tensors, params)
    again = {path: tensor.read() for path, tensor in checkpoint.tensors.items()}
    write_t5x(again, checkpoint.config, tmp_path / "second", 3)
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_a_bias_of_each_layer_needs_the_scalable_network(tmp_path: Path):
    changes: dict[str, Any] = {"relative_bias": "per_block", "activation": "gated-silu"}
    config = dataclasses.replace(UNEQUAL, **changes)
    params = random_params(config)
    path = write_t5x(params, config, tmp_path, 0)
    tree = flax.serialization.msgpack_restore((path / "checkpoint").read_bytes())["optimizer"]["target"]
    layer = tree["decoder"]["layers_2"]
    shapes = {
        "query": layer["encoder_decoder_attention"]["query"]["kernel"]["metadata"]["shape"],
        "out": layer["encoder_decoder_attention"]["out"]["kernel"]["metadata"]["shape"],
        "bias": layer["relpos_bias"]["rel_embedding"]["metadata"]["shape"],
    }
    assert shapes == {"query": [12, 3, 8], "out": [3, 8, 12], "bias": [3, 32]}
    gin = (path / "config.gin").read_text()
    assert "from t5x.examples.scalable_t5 import network" in gin
    assert "scan_layers = False" in gin
    checkpoint = read_t5x(path)
    assert checkpoint.config == config
    assert_same(checkpoint.tensors, params)


def test_tied_and_unscaled_becomes_an_output_of_its_own(tmp_path: Path):
    config = dataclasses.replace(SQUARE, scale_logits=False)
    params = random_params(config)
    checkpoint = read_t5x(write_t5x(params, config, tmp_path, 0))
    assert checkpoint.config == dataclasses.replace(config, tie_embeddings=False)
    assert_same(checkpoint.tensors, {**params, "output/kernel": params["token_embedding/embedding"].T})


def test_scaled_and_untied_has_the_scale_in_its_output(tmp_path: Path):
    config = dataclasses.replace(UNEQUAL, scale_logits=True)
    params = random_params(config)
    checkpoint = read_t5x(write_t5x(params, config, tmp_path, 0))
    assert checkpoint.config == UNEQUAL
    scaled = params["output/kernel"] * np.float32(12**-0.5)
    assert_same(checkpoint.tensors, {**params, "output/kernel": scaled})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"relative_max_distance": 64}, "relative_max_distance is 64"),
        ({"relative_buckets": 16}, "relative_buckets is 16"),
        ({"layer_norm_epsilon": 1e-5}, "layer_norm_epsilon is 1e-05"),
    ],
)
def test_models_that_t5x_lacks_are_refused(tmp_path: Path, changes: dict[str, Any], message: str):
    config = dataclasses.replace(UNEQUAL, **changes)
    with pytest.raises(T5MixError, match=message):
        write_t5x(random_params(config), config, tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_other_parameters_than_the_models_are_refused(tmp_path: Path):
    params = random_params(UNEQUAL)
    params["encoder/blocks/0/attention/query/lora_a"] = params.pop("encoder/blocks/0/attention/query/kernel")
    with pytest.raises(T5MixError, match=r"(?s)query/kernel is missing.*query/lora_a \[12, 24\] is not a parameter"):
        write_t5x(params, UNEQUAL, tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_is_there_is_kept(tmp_path: Path):
    (tmp_path / "checkpoint_5").mkdir()
    with pytest.raises(T5MixError, match="is there already"):
        write_t5x(random_params(UNEQUAL), UNEQUAL, tmp_path, 5)
    assert list((tmp_path / "checkpoint_5").iterdir()) == []


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch):
    opened, open_array = [], ts.open

    def fail_at_the_fifth(spec: Any, **options: Any) -> Any:
        opened.append(spec)
        if len(opened) == 5:
            raise ValueError("No space left on device")
        return open_array(spec, **options)

    monkeypatch.setattr(ts, "open", fail_at_the_fifth)
    with pytest.raises(T5MixError, match="The disk is full"):
        write_t5x(random_params(UNEQUAL), UNEQUAL, tmp_path, 5)
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_found_out_before_anything_is_written(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("t5mix.files.free_space", lambda path: (tmp_path, 1000))
    with pytest.raises(T5MixError, match="The disk is full"):
        write_t5x(random_params(UNEQUAL), UNEQUAL, tmp_path, 5)
    assert list(tmp_path.iterdir()) == []
