import dataclasses
import functools
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.serialization
import ml_dtypes
import numpy as np
import orbax.checkpoint as ocp
import pytest
import tensorstore as ts

from t5mix.errors import T5MixError
from t5mix.interop.t5x import is_t5x, read_t5x
from t5mix.model.config import T5Config
from tests.support.foreign_checkpoints import (
    SQUARE,
    UNEQUAL,
    Arrays,
    assert_same,
    nested,
    random_params,
    scanned,
    t5x_arrays,
    unjoined,
)

MODELS = pytest.mark.parametrize("config", [UNEQUAL, SQUARE], ids=["unequal", "square"])
ABSENT = {"driver": "zarr", "dtype": "float32", "kvstore": {"driver": "gfile", "path": "state.absent/"}}
params_of = functools.cache(random_params)


def write_zarr(folder: Path, array: np.ndarray, *, chunks: list[int] | None = None) -> dict[str, Any]:
    """Writes an array as T5X does; returns the leaf of the msgpack file."""
    metadata = {"chunks": chunks or list(array.shape), "compressor": {"id": "gzip", "level": 1}}
    spec = {"driver": "zarr", "dtype": array.dtype.name, "metadata": {**metadata, "shape": list(array.shape)}}
    store = ts.open({**spec, "kvstore": {"driver": "file", "path": str(folder)}}, create=True).result()
    store.write(array).result()
    return {**spec, "kvstore": {"driver": "gfile", "path": f"{folder.name}/"}}


def write_msgpack(file: Path, target: Mapping[str, Any], **others: Any) -> None:
    state = {"step": np.int32(7), "param_states": {"kernel": {"v_row": ABSENT, "v_col": np.arange(3, dtype=np.uint16)}}}
    tree = {"version": 3, "optimizer": {"target": nested(target), "state": state}, **others}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(flax.serialization.msgpack_serialize(tree))


def write_t5x_folder(folder: Path, arrays: Arrays, **others: Any) -> Path:
    """Version 3: every second array in a folder of its own, some in several chunks; the rest in the msgpack file."""
    target: dict[str, Any] = {}
    for number, (name, array) in enumerate(sorted(arrays.items())):
        chunks = [array.shape[0] // 2, *array.shape[1:]] if number % 3 == 0 and array.shape[0] > 1 else None
        path = folder / f"target.{name.replace('/', '.')}"
        target[name] = write_zarr(path, array, chunks=chunks) if number % 2 == 0 else array
    write_msgpack(folder / "checkpoint", target, **others)
    return folder


def write_t5x_file(folder: Path, arrays: Arrays, **others: Any) -> Path:
    """Everything in the msgpack file: quicker."""
    write_msgpack(folder / "checkpoint_7" / "checkpoint", arrays, **others)
    return folder / "checkpoint_7"


@MODELS
def test_msgpack_and_zarr(tmp_path: Path, config: T5Config):
    params = params_of(config)
    checkpoint = read_t5x(write_t5x_folder(tmp_path / "checkpoint_7", t5x_arrays(params, config)))
    assert checkpoint.config == config
    assert checkpoint.format == "T5X"
    assert_same(checkpoint.tensors, params)


def test_bfloat16(tmp_path: Path):
    params = {path: array.astype(ml_dtypes.bfloat16) for path, array in params_of(UNEQUAL).items()}
    checkpoint = read_t5x(write_t5x_folder(tmp_path / "checkpoint_7", t5x_arrays(params, UNEQUAL)))
    assert_same(checkpoint.tensors, params)


@MODELS
def test_older_single_file_with_large_arrays_in_chunks(tmp_path: Path, config: T5Config, monkeypatch):
    monkeypatch.setattr(flax.serialization, "MAX_CHUNK_SIZE", 500)  # bytes, in place of a gigabyte
    params = params_of(config)
    write_msgpack(tmp_path / "checkpoint_0", t5x_arrays(params, config))
    assert b"__msgpack_chunked_array__" in (tmp_path / "checkpoint_0").read_bytes()
    assert is_t5x(tmp_path / "checkpoint_0")
    assert_same(read_t5x(tmp_path / "checkpoint_0").tensors, params)


@MODELS
@pytest.mark.parametrize(("folder", "owner"), [("checkpoint_7", "_optimizer/target"), ("checkpoint_7/state", "target")])
def test_orbax_placeholders(tmp_path: Path, config: T5Config, folder: str, owner: str):
    params = params_of(config)
    flat = {}
    for name, array in t5x_arrays(params, config).items():
        leaf = f"{owner}/{name}".replace("/", ".")
        write_zarr(tmp_path / folder / leaf, array)
        flat[f"{owner}/{name}"] = f"PLACEHOLDER://{leaf}"
    flat["state/step"] = "PLACEHOLDER://state.step"
    tree = flax.serialization.msgpack_serialize({**nested(flat), "flax_mutables": None})
    (tmp_path / folder / "checkpoint").write_bytes(tree)
    assert is_t5x(tmp_path / "checkpoint_7")
    assert_same(read_t5x(tmp_path / "checkpoint_7").tensors, params)


def test_orbax_without_msgpack_as_orbax_writes_it(tmp_path: Path):
    params = params_of(UNEQUAL)
    tree = {"target": nested(t5x_arrays(params, UNEQUAL)), "state": {"step": np.int32(7)}}
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=False)) as checkpointer:
        checkpointer.save(tmp_path / "checkpoint_7" / "state", tree)
    shutil.rmtree(tmp_path / "checkpoint_7" / "state" / "state.step")
    assert is_t5x(tmp_path)
    assert_same(read_t5x(tmp_path).tensors, params)


def test_orbax_with_ocdbt_is_refused_by_name(tmp_path: Path):
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=True)) as checkpointer:
        checkpointer.save(tmp_path / "checkpoint_7", {"target": {"a": np.zeros(3)}})
    with pytest.raises(T5MixError, match="OCDBT"):
        read_t5x(tmp_path)


@MODELS
def test_scanned_layers(tmp_path: Path, config: T5Config):
    params = params_of(config)
    arrays = t5x_arrays(params, config)
    depths = {"encoder": config.num_layers, "decoder": config.num_decoder_layers}
    biases = {stack: [arrays[f"{stack}/relpos_bias/rel_embedding"]] * depth for stack, depth in depths.items()}
    checkpoint = read_t5x(write_t5x_folder(tmp_path / "checkpoint_7", scanned(arrays, config, biases)))
    assert checkpoint.config == config
    assert_same(checkpoint.tensors, params)


def test_unscanned_layers_with_separate_heads(tmp_path: Path):
    params = params_of(UNEQUAL)
    arrays = {name: unjoined(name, array, UNEQUAL) for name, array in t5x_arrays(params, UNEQUAL).items()}
    checkpoint = read_t5x(write_t5x_folder(tmp_path / "checkpoint_7", arrays))
    assert checkpoint.config == UNEQUAL
    assert_same(checkpoint.tensors, params)


@pytest.mark.parametrize("is_scanned", [True, False])
def test_a_bias_of_each_layer(tmp_path: Path, is_scanned: bool):
    arrays = t5x_arrays(params_of(UNEQUAL), UNEQUAL)
    rng = np.random.default_rng(1)
    depths = {"encoder": UNEQUAL.num_layers, "decoder": UNEQUAL.num_decoder_layers}
    biases = {stack: list(rng.standard_normal((depth, 3, 32)).astype(np.float32)) for stack, depth in depths.items()}
    if is_scanned:
        arrays = scanned(arrays, UNEQUAL, biases)
    else:
        arrays = {name: array for name, array in arrays.items() if "relpos_bias" not in name} | {
            f"{stack}/layers_{i}/relpos_bias/rel_embedding": bias
            for stack, layers in biases.items()
            for i, bias in enumerate(layers)
        }
    folder = write_t5x_folder(tmp_path / "checkpoint_7", arrays)
    checkpoint = read_t5x(folder)
    assert checkpoint.config.relative_bias == "per_block"
    for stack, layers in biases.items():
        for i, bias in enumerate(layers):
            tensor = checkpoint.tensors[f"{stack}/blocks/{i}/relative_bias/embedding"]
            np.testing.assert_array_equal(tensor.read(), bias.T)


def test_latest_of_several_checkpoints(tmp_path: Path):
    params = params_of(SQUARE)
    write_msgpack(tmp_path / "checkpoint_900" / "checkpoint", t5x_arrays(params_of(UNEQUAL), UNEQUAL))
    write_msgpack(tmp_path / "checkpoint_1000" / "checkpoint", t5x_arrays(params, SQUARE))
    (tmp_path / "checkpoint_2000").mkdir()  # nothing is in it yet
    shutil.copytree(tmp_path / "checkpoint_900", tmp_path / "checkpoint_3000.tmp-123")
    checkpoint = read_t5x(tmp_path)
    assert checkpoint.path == tmp_path / "checkpoint_1000"
    assert_same(checkpoint.tensors, params)


def test_only_what_is_asked_for_is_read(tmp_path: Path, monkeypatch):
    folder = write_t5x_folder(tmp_path / "checkpoint_7", t5x_arrays(params_of(UNEQUAL), UNEQUAL))
    opened, open_array = [], ts.open
    monkeypatch.setattr(
        ts, "open", lambda spec, **more: opened.append(spec["kvstore"]["path"]) or open_array(spec, **more)
    )
    tensors = read_t5x(folder).tensors
    assert opened == []
    tensors["decoder/blocks/2/cross_attention/query/kernel"].read()
    tensors["encoder/blocks/0/attention_norm/scale"].read()
    assert len(opened) <= 2
    assert all("target." in path for path in opened)


def test_scanned_arrays_are_read_once_for_all_their_layers(tmp_path: Path, monkeypatch):
    arrays = t5x_arrays(params_of(UNEQUAL), UNEQUAL)
    biases = {"encoder": [arrays["encoder/relpos_bias/rel_embedding"]] * 2}
    biases["decoder"] = [arrays["decoder/relpos_bias/rel_embedding"]] * 3
    folder = write_t5x_folder(tmp_path / "checkpoint_7", scanned(arrays, UNEQUAL, biases))
    opened, open_array = [], ts.open
    monkeypatch.setattr(
        ts, "open", lambda spec, **more: opened.append(spec["kvstore"]["path"]) or open_array(spec, **more)
    )
    for tensor in read_t5x(folder).tensors.values():
        tensor.read()
    repeated = {path for path in opened if opened.count(path) > 1}
    assert {path for path in repeated if "relpos_bias" not in path} == set()
    assert len(opened) > 10


GIN = """
DROPOUT = 0.3
network.T5Config:
  dtype = 'bfloat16'
  num_heads = 3
  mlp_activations = ('gelu', 'linear')
  dropout_rate = %DROPOUT
  logits_via_embedding = False
"""


@pytest.mark.parametrize("place", [".", "checkpoint_7"])
@pytest.mark.parametrize("name", ["config.gin", "operative_config.gin"])
def test_gin_file_gives_what_tensors_do_not_show(tmp_path: Path, place: str, name: str):
    write_t5x_file(tmp_path, t5x_arrays(params_of(UNEQUAL), UNEQUAL))
    (tmp_path / place / name).write_text(GIN)
    assert read_t5x(tmp_path).config == dataclasses.replace(UNEQUAL, dropout_rate=0.3)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("T5Config.num_heads = 12", "num_heads is 12 by its configuration, and 3 by its tensors"),
        ("T5Config.logits_via_embedding = True", "tie_embeddings is True by its configuration, and False"),
        (
            "T5Config.mlp_activations = ('relu',)",
            "the activation is relu by its configuration, and its tensors are wi_0",
        ),
        ("T5Config.mlp_activations = ('relu', 'linear')", "activation is 'gated-relu'"),
        ("T5Config.dropout_rate = 2.0", "dropout_rate is 2.0"),
        ("T5Config.dropout_rate = 'none'", "no such model"),
    ],
)
def test_gin_file_that_contradicts_the_tensors(tmp_path: Path, line: str, message: str):
    folder = write_t5x_file(tmp_path, t5x_arrays(params_of(UNEQUAL), UNEQUAL))
    (tmp_path / "config.gin").write_text(line)
    with pytest.raises(T5MixError, match=message):
        read_t5x(folder)


def refusal(folder: Path) -> str:
    with pytest.raises(T5MixError) as caught:
        read_t5x(folder)
    return str(caught.value)


def test_tensors_that_do_not_fit_are_listed(tmp_path: Path):
    arrays = t5x_arrays(params_of(UNEQUAL), UNEQUAL)
    kernel = arrays.pop("encoder/layers_1/mlp/wo/kernel")
    arrays["encoder/layers_1/mlp/experts/kernel"] = kernel
    arrays["decoder/layers_0/mlp/wo/kernel"] = kernel.T
    text = refusal(write_t5x_file(tmp_path, arrays))
    assert "encoder/blocks/1/feed_forward/wo/kernel is missing; expected [20, 12]" in text
    assert "encoder/layers_1/mlp/experts/kernel [20, 12] is not a parameter of this model" in text
    assert "decoder/blocks/0/feed_forward/wo/kernel is [12, 20]; expected [20, 12]" in text
    assert "more" not in text


def test_a_layer_that_is_there_twice_is_refused(tmp_path: Path):
    arrays = t5x_arrays(params_of(UNEQUAL), UNEQUAL)
    kernel = arrays["encoder/layers_0/mlp/wo/kernel"]
    arrays["encoder/encoder/mlp/wo/kernel"] = np.stack([kernel, kernel], axis=1)
    text = refusal(write_t5x_file(tmp_path, arrays))
    assert "wo/kernel [20, 12] is not a parameter of this model" in text


def test_long_lists_are_cut(tmp_path: Path):
    arrays = t5x_arrays(params_of(UNEQUAL), UNEQUAL)
    arrays |= {f"encoder/expert_{i}/kernel": np.zeros(2, np.float32) for i in range(10)}
    text = refusal(write_t5x_file(tmp_path, arrays))
    assert text.count("is not a parameter") == 8
    assert "and 2 more" in text


def test_decoder_alone_is_refused(tmp_path: Path):
    arrays = {name: array for name, array in t5x_arrays(params_of(UNEQUAL), UNEQUAL).items() if "encoder" not in name}
    assert "holds no T5 encoder-decoder" in refusal(write_t5x_file(tmp_path, arrays))


@pytest.mark.parametrize("version", [0, 2, 4])
def test_other_versions_are_refused(tmp_path: Path, version: int):
    arrays = t5x_arrays(params_of(SQUARE), SQUARE)
    folder = write_t5x_file(tmp_path, arrays, version=version)
    assert f"has version {version} of T5X's format" in refusal(folder)


def test_uint16_is_refused(tmp_path: Path):
    leaf = write_zarr(tmp_path / "checkpoint_7" / "target.a", np.ones((2, 2), np.uint16))
    write_msgpack(tmp_path / "checkpoint_7" / "checkpoint", {"a": leaf})
    assert "Old versions of T5X wrote bfloat16 so" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b'model_checkpoint_path: "model.ckpt-0"\n', "is of TensorFlow"),
        (b"plain text, not msgpack", "is not a T5X checkpoint"),
        (flax.serialization.msgpack_serialize({"version": 3, "optimizer": {"state": {}}}), "has no target"),
        (
            flax.serialization.msgpack_serialize({"version": 3, "optimizer": {"target": {}}}),
            "holds no parameters of a model",
        ),
        (flax.serialization.msgpack_serialize({"version": 3, "optimizer": {"target": {"a": 3}}}), "not an array"),
    ],
)
def test_files_without_a_model_are_refused(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "checkpoint").write_bytes(content)
    assert is_t5x(tmp_path) == content.startswith(b"\x82")
    assert message in refusal(tmp_path)


def test_places_without_a_checkpoint_are_refused(tmp_path: Path):
    for path in (tmp_path, tmp_path / "absent"):
        assert not is_t5x(path)
        assert "holds no T5X checkpoint" in refusal(path)


def zarr_folder(root: Path) -> Path:
    """Of an array in two chunks."""
    return next(iter(sorted(root.glob("checkpoint_7/target.*/1.0")))).parent


def lose_a_chunk(folder: Path) -> None:
    (folder / "1.0").unlink()


def lose_all(folder: Path) -> None:
    shutil.rmtree(folder)


def lose_the_header(folder: Path) -> None:
    (folder / ".zarray").unlink()


def garble_the_header(folder: Path) -> None:
    (folder / ".zarray").write_text("{")


def change_the_shape(folder: Path) -> None:
    header = json.loads((folder / ".zarray").read_text())
    header["shape"][0] -= 1
    (folder / ".zarray").write_text(json.dumps(header))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose_a_chunk, "1.0 is missing: copy the whole checkpoint"),
        (lose_all, "is missing, or has no file .zarray"),
        (lose_the_header, "is missing, or has no file .zarray"),
        (garble_the_header, "does not describe an array"),
        (change_the_shape, "and its folder holds"),
    ],
)
def test_incomplete_copies_are_refused_before_anything_is_read(tmp_path: Path, damage: Any, message: str):
    write_t5x_folder(tmp_path / "checkpoint_7", t5x_arrays(params_of(UNEQUAL), UNEQUAL))
    folder = zarr_folder(tmp_path)
    damage(folder)
    text = refusal(tmp_path)
    assert message in text
    assert folder.name.removeprefix("target.") in text.replace("/", ".")


def test_a_damaged_chunk_is_named_when_it_is_read(tmp_path: Path):
    write_t5x_folder(tmp_path / "checkpoint_7", t5x_arrays(params_of(UNEQUAL), UNEQUAL))
    path = "encoder/blocks/0/attention/key/kernel"
    chunk = tmp_path / "checkpoint_7" / "target.encoder.layers_0.attention.key.kernel" / "0.0"
    chunk.write_bytes(chunk.read_bytes()[:10])
    tensor = read_t5x(tmp_path).tensors[path]
    with pytest.raises(T5MixError, match="The checkpoint is damaged"):
        tensor.read()


@pytest.mark.parametrize("path", ["/etc", "../elsewhere"])
def test_arrays_outside_the_checkpoint_are_refused(tmp_path: Path, path: str):
    write_msgpack(tmp_path / "checkpoint", {"a": {**ABSENT, "kvstore": {"driver": "file", "path": path}}})
    assert "outside the checkpoint" in refusal(tmp_path)


def test_path_outside_the_kvstore_as_older_tensorstore_wrote_it(tmp_path: Path):
    params = params_of(SQUARE)
    target = {}
    for name, array in t5x_arrays(params, SQUARE).items():
        leaf = write_zarr(tmp_path / "checkpoint_7" / name.replace("/", "."), array)
        path = leaf["kvstore"]["path"]
        target[name] = {**leaf, "kvstore": {"driver": "gcs", "bucket": "t5x-dummy-bucket"}, "path": path}
    write_msgpack(tmp_path / "checkpoint_7" / "checkpoint", target)
    assert_same(read_t5x(tmp_path).tensors, params)
