import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from t5mix.errors import T5MixError
from t5mix.interop.mesh_tensorflow import is_mesh_tensorflow, read_mesh_tensorflow
from t5mix.model.config import T5Config
from t5mix.tensorflow_setup import tf
from tests.support.foreign_checkpoints import SQUARE, UNEQUAL, Arrays, assert_same, mesh_arrays, random_params

params_of = functools.cache(random_params)


def save(prefix: Path, arrays: Mapping[str, np.ndarray], shards: int = 1) -> Path:
    """Writes a TensorFlow checkpoint; returns its folder."""
    names, parts = sorted(arrays), []
    prefix.parent.mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        own = names[shard::shards]
        parts.append(str(prefix) if shards == 1 else f"{prefix}_part{shard}")
        tensors = [tf.constant(arrays[name]) for name in own]
        tf.raw_ops.SaveV2(prefix=parts[-1], tensor_names=own, shape_and_slices=[""] * len(own), tensors=tensors)
    if shards > 1:
        tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(prefix))
    return prefix.parent


def with_optimizer(arrays: Arrays) -> Arrays:
    """With the state of the optimizer, none of which is a parameter."""
    slots = {f"{name}_slot_{kind}": np.zeros(3, np.float32) for name in arrays for kind in ("v", "vr", "vc", "m")}
    return {**arrays, **slots, "global_step": np.int64(7)}


@pytest.mark.parametrize("norm", ["rms_norm", "layer_norm"])
@pytest.mark.parametrize("config", [UNEQUAL, SQUARE], ids=["unequal", "square"])
def test_every_parameter_is_read(tmp_path: Path, config: T5Config, norm: str):
    params = params_of(config)
    folder = save(tmp_path / "model.ckpt-7", with_optimizer(mesh_arrays(params, config, norm=norm)))
    assert is_mesh_tensorflow(folder)
    checkpoint = read_mesh_tensorflow(folder)
    assert checkpoint.path == folder
    assert checkpoint.format == "Mesh TensorFlow"
    assert checkpoint.config == config
    assert_same(checkpoint.tensors, params)


def test_bfloat16_in_several_data_files(tmp_path: Path):
    params = {path: array.astype(ml_dtypes.bfloat16) for path, array in params_of(UNEQUAL).items()}
    folder = save(tmp_path / "model.ckpt-7", mesh_arrays(params, UNEQUAL), shards=3)
    assert (tmp_path / "model.ckpt-7.data-00002-of-00003").exists()
    assert_same(read_mesh_tensorflow(folder).tensors, params)


def test_latest_of_several_steps_or_the_one_that_is_named(tmp_path: Path):
    save(tmp_path / "model.ckpt-900", mesh_arrays(params_of(UNEQUAL), UNEQUAL))
    save(tmp_path / "model.ckpt-1000", mesh_arrays(params_of(SQUARE), SQUARE))
    assert read_mesh_tensorflow(tmp_path).config == SQUARE
    assert read_mesh_tensorflow(tmp_path / "model.ckpt-900.index").config == UNEQUAL


def test_biases_of_all_blocks_that_are_equal_are_one(tmp_path: Path):
    arrays = mesh_arrays(params_of(UNEQUAL), UNEQUAL)
    for stack, depth in (("encoder", 2), ("decoder", 3)):
        name = f"{stack}/block_000/layer_000/SelfAttention/relative_attention_bias"
        arrays |= {name.replace("block_000", f"block_{i:03d}"): arrays[name] for i in range(depth)}
    assert_same(read_mesh_tensorflow(save(tmp_path / "model.ckpt-7", arrays)).tensors, params_of(UNEQUAL))


def test_biases_of_all_blocks_that_differ(tmp_path: Path):
    arrays = mesh_arrays(params_of(UNEQUAL), UNEQUAL)
    biases = np.random.default_rng(1).standard_normal((5, 3, 32)).astype(np.float32)
    blocks = [("encoder", 0), ("encoder", 1), ("decoder", 0), ("decoder", 1), ("decoder", 2)]
    for (stack, block), bias in zip(blocks, biases, strict=True):
        arrays[f"{stack}/block_{block:03d}/layer_000/SelfAttention/relative_attention_bias"] = bias
    folder = save(tmp_path / "model.ckpt-7", arrays)
    tensors = read_mesh_tensorflow(folder).tensors
    for (stack, block), bias in zip(blocks, biases, strict=True):
        np.testing.assert_array_equal(tensors[f"{stack}/blocks/{block}/relative_bias/embedding"].read(), bias.T)


GIN = """
d_ff = 20
d_kv = 8
d_model = 12
dropout_rate = 0.05
num_heads = 3
decoder/DenseReluDense.activation = ['gelu', 'linear']
decoder/DenseReluDense.dropout_rate = %dropout_rate
encoder/DenseReluDense.activation = ['gelu', 'linear']
encoder/LayerStack.dropout_rate = None
sublayer_rms_norm.epsilon = 1e-05
"""


def test_gin_file_gives_what_tensors_do_not_show(tmp_path: Path):
    folder = save(tmp_path / "model.ckpt-7", mesh_arrays(params_of(UNEQUAL), UNEQUAL))
    (folder / "operative_config.gin").write_text(GIN)
    config = dataclasses.replace(UNEQUAL, dropout_rate=0.05, layer_norm_epsilon=1e-5)
    assert read_mesh_tensorflow(folder).config == config
    (folder / "operative_config.gin").write_text(GIN.replace("d_ff = 20", "d_ff = 2048"))
    with pytest.raises(T5MixError, match="d_ff is 2048 by its configuration, and 20 by its tensors"):
        read_mesh_tensorflow(folder)


BLOCK = "encoder/block_000/layer_000"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("transformer/block_000/layer_000/SelfAttention/q", "a decoder without an encoder"),
        ("encoder/block_000/layer_001/task_adapter/wi", "task adapters"),
        ("encoder/embedding", "embeddings of their own"),
        (f"{BLOCK}/TalkingHeadsSelfAttention/q/kernel", "talking-heads attention"),
        ("encoder/block_000/layer_002/SelfAttention/q", "t5.1.n4w10"),
        ("decoder/block_000/layer_003/SelfAttention/q", "t5.1.n4w10"),
        (f"{BLOCK}/SelfAttention/q_bias", "is not a parameter of this model"),
        (f"{BLOCK}/EncDecAttention/q", "is not a parameter of this model"),
    ],
)
def test_other_models_are_refused_by_name(tmp_path: Path, name: str, message: str):
    arrays = {**mesh_arrays(params_of(UNEQUAL), UNEQUAL), name: np.zeros((2, 2), np.float32)}
    with pytest.raises(T5MixError, match=message) as caught:
        read_mesh_tensorflow(save(tmp_path / "model.ckpt-7", arrays))
    assert name in str(caught.value)


def test_a_parameter_under_two_names_is_refused(tmp_path: Path):
    arrays = mesh_arrays(params_of(UNEQUAL), UNEQUAL)
    arrays["encoder/final_layer_norm/scale"] = arrays["encoder/rms_norm/scale"] + 1
    with pytest.raises(T5MixError, match=r"encoder/rms_norm/scale \[12\] is not a parameter"):
        read_mesh_tensorflow(save(tmp_path / "model.ckpt-7", arrays))


def test_ensembles_are_refused(tmp_path: Path):
    arrays = {name: np.stack([array, array]) for name, array in mesh_arrays(params_of(UNEQUAL), UNEQUAL).items()}
    with pytest.raises(T5MixError, match="an ensemble of models"):
        read_mesh_tensorflow(save(tmp_path / "model.ckpt-7", arrays))


def test_tensors_that_do_not_fit_are_listed(tmp_path: Path):
    arrays = mesh_arrays(params_of(UNEQUAL), UNEQUAL)
    arrays["decoder/logits/kernel"] = arrays["decoder/logits/kernel"].T
    del arrays["encoder/block_001/layer_001/DenseReluDense/wo/kernel"]
    with pytest.raises(T5MixError) as caught:
        read_mesh_tensorflow(save(tmp_path / "model.ckpt-7", arrays))
    assert "output/kernel is [40, 12]; expected [12, 40]" in str(caught.value)
    assert "encoder/blocks/1/feed_forward/wo/kernel is missing; expected [20, 12]" in str(caught.value)


@pytest.mark.parametrize("lost", [[0], [1], [0, 1]])
def test_a_data_file_that_is_missing_is_named(tmp_path: Path, lost: list[int]):
    folder = save(tmp_path / "model.ckpt-7", mesh_arrays(params_of(UNEQUAL), UNEQUAL), shards=2)
    for number in lost:
        (folder / f"model.ckpt-7.data-0000{number}-of-00002").unlink()
    with pytest.raises(T5MixError, match=f"model.ckpt-7.data-0000{lost[0]}-of-00002 is missing"):
        read_mesh_tensorflow(folder)


def test_a_data_file_that_is_cut_off_is_found_out_when_it_is_read(tmp_path: Path):
    folder = save(tmp_path / "model.ckpt-7", mesh_arrays(params_of(UNEQUAL), UNEQUAL))
    data = folder / "model.ckpt-7.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    tensor = read_mesh_tensorflow(folder).tensors["token_embedding/embedding"]
    with pytest.raises(T5MixError, match="shared/embedding cannot be read"):
        tensor.read()


def test_places_without_a_checkpoint_are_refused(tmp_path: Path):
    (tmp_path / "model.ckpt-7.meta").write_bytes(b"graph")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "model.ckpt-7.meta"):
        assert not is_mesh_tensorflow(path)
        with pytest.raises(T5MixError, match=r"no file model\.ckpt-<step>\.index"):
            read_mesh_tensorflow(path)
    (tmp_path / "model.ckpt-7.index").write_bytes(b"something else")
    with pytest.raises(T5MixError, match="is not the index of a TensorFlow checkpoint"):
        read_mesh_tensorflow(tmp_path)
