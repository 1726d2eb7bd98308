"""Folders as people have them: what versions of Transformers disagree about, and what is wrong with them."""

import dataclasses
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from t5mix.errors import T5MixError
from t5mix.interop.huggingface import read_huggingface
from t5mix.interop.huggingface_names import EMBEDDING, EMBEDDING_ALIASES, HEAD, UNUSED
from tests.support.huggingface_folders import TINY, tensors, write_folder

TIED = dataclasses.replace(TINY, tie_embeddings=True, scale_logits=True)
NEITHER = ("tie_word_embeddings", "scale_decoder_outputs")


def with_a_copy_as_head() -> dict[str, np.ndarray]:
    made = tensors(TIED)
    return {**made, HEAD: made[EMBEDDING]}


@pytest.mark.parametrize(
    ("changed", "removed", "weights", "tied", "scaled"),
    [
        ({"tie_word_embeddings": False}, NEITHER[1:], tensors(TINY), False, False),  # T5 1.1 as published
        ({}, NEITHER, tensors(TIED), True, True),  # T5 1.0 as published
        ({"tie_word_embeddings": True, "scale_decoder_outputs": False}, (), tensors(TINY), False, False),  # saved by 5
        ({"tie_word_embeddings": False}, NEITHER[1:], with_a_copy_as_head(), True, False),
        ({"tie_word_embeddings": True}, NEITHER[1:], with_a_copy_as_head(), True, True),
        ({"model_type": "mt5"}, NEITHER, tensors(TINY), False, False),  # version 4 left the default out
        ({"model_type": "mt5", "tie_word_embeddings": False}, NEITHER[1:], tensors(TINY), False, False),
        ({"model_type": "mt5", "tie_word_embeddings": True}, NEITHER[1:], tensors(TIED), True, True),
        (
            {"model_type": "mt5", "tie_word_embeddings": True, "transformers_version": "5.2.0"},
            NEITHER[1:],
            tensors(TIED),
            True,
            False,
        ),
        (
            {"model_type": "mt5", "tie_word_embeddings": True, "transformers_version": "5.2.0"},
            NEITHER[1:],
            tensors(TINY),
            False,
            False,
        ),
    ],
)
def test_tying_and_scaling(
    tmp_path: Path, changed: dict[str, Any], removed: tuple[str, ...], weights: Any, tied: bool, scaled: bool
):
    config = read_huggingface(write_folder(tmp_path, changed=changed, removed=removed, weights=weights)).config
    assert (config.tie_embeddings, config.scale_logits) == (tied, scaled)


@pytest.mark.parametrize(
    ("changed", "removed", "weights", "message"),
    [
        ({}, NEITHER, tensors(TINY), r"the weights hold another one, lm_head.weight: Transformers 4 would drop it"),
        ({"tie_word_embeddings": False}, NEITHER[1:], tensors(TIED), r"an untied model needs lm_head.weight"),
        ({"model_type": "mt5"}, NEITHER, tensors(TIED), r"an untied model needs lm_head.weight"),
        ({"model_type": "longt5"}, (), tensors(TINY), r"'longt5' \(its encoder attends locally\)"),
        ({"model_type": "t5gemma2"}, (), tensors(TINY), r"'t5gemma2' \(it is Gemma's architecture"),
        ({"model_type": "opt"}, (), tensors(TINY), r"model_type is 'opt'; t5mix reads t5, mt5, umt5"),
        ({}, ("model_type",), tensors(TINY), r"model_type is None"),
        ({"dense_act_fn": "gelu"}, (), tensors(TINY), r"is 'gelu', gated"),
        ({"feed_forward_proj": "gated-relu"}, ("dense_act_fn",), tensors(TINY), r"is 'relu', gated"),
        ({"num_layers": "two"}, (), tensors(TINY), r"num_layers is 'two'; it must be a whole number"),
        ({"d_model": 0}, (), tensors(TINY), r"d_model is 0; it must be at least 1"),
        ({"vocab_size": 24}, (), tensors(TINY), r"token_embedding/embedding is \[20, 8\]; expected \[24, 8\]"),
        ({"num_heads": 3}, (), tensors(TINY), r"expected \[8, 9\]"),
        ({"num_layers": 3}, (), tensors(TINY), r"encoder/blocks/2/attention/key/kernel is missing"),
        ({"num_layers": 1}, (), tensors(TINY), r"encoder.block.1.layer.0.SelfAttention.k.weight .* is not a parameter"),
        ({}, (), {**tensors(TINY), "qa_outputs.weight": np.ones((2, 8), np.float32)}, r"qa_outputs.weight"),
        (
            {},
            (),
            {**tensors(TINY), EMBEDDING_ALIASES[0]: np.ones((20, 8), np.float32)},
            r"shared.weight and encoder.embed_tokens.weight differ",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, changed: dict[str, Any], removed: tuple[str, ...], weights: Any, message: str):
    folder = write_folder(tmp_path, changed=changed, removed=removed, weights=weights)
    with pytest.raises(T5MixError, match=message) as error:
        read_huggingface(folder)
    assert str(folder) in str(error.value)


def test_the_function_is_what_version_4_computed_it_to_be(tmp_path: Path):
    """`dense_act_fn` says it; without it `feed_forward_proj` does; whether there is a gate is seen in the tensors."""
    config = read_huggingface(write_folder(tmp_path, removed=("dense_act_fn", "is_gated_act"))).config
    assert config.activation == "gated-gelu"
    silu = dataclasses.replace(TINY, activation="gated-silu")
    assert read_huggingface(write_folder(tmp_path, silu)).config.activation == "gated-silu"
    relu = dataclasses.replace(TINY, activation="relu")
    assert read_huggingface(write_folder(tmp_path, relu, changed={"is_gated_act": True})).config.activation == "relu"


def test_copies_of_the_embedding_and_unused_tensors_are_left_out(tmp_path: Path):
    made = tensors(TINY)
    copies = dict.fromkeys(EMBEDDING_ALIASES, made[EMBEDDING])
    unused = {UNUSED: np.ones((8, 2), np.float32)}
    read = read_huggingface(write_folder(tmp_path, weights={**made, **copies, **unused}))
    np.testing.assert_array_equal(read.tensors["token_embedding/embedding"].read(), made[EMBEDDING])
    only_copies = {name: values for name, values in {**made, **copies}.items() if name != EMBEDDING}
    read = read_huggingface(write_folder(tmp_path, weights=only_copies))
    np.testing.assert_array_equal(read.tensors["token_embedding/embedding"].read(), made[EMBEDDING])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(tmp_path: Path, dtype: str):
    import ml_dtypes

    kind = np.float16 if dtype == "float16" else ml_dtypes.bfloat16
    made = {name: values.astype(kind) for name, values in tensors(TINY).items()}
    read = read_huggingface(write_folder(tmp_path, weights=made))
    np.testing.assert_array_equal(read.tensors["output/kernel"].read(), made[HEAD].T)


def test_special_ids_are_told(tmp_path: Path):
    ids = {"pad_token_id": 1, "eos_token_id": [2], "decoder_start_token_id": 0}
    assert read_huggingface(write_folder(tmp_path, changed=ids)).special_ids == (1, 2, 0)
    without_start = write_folder(tmp_path, removed=("decoder_start_token_id",))
    assert read_huggingface(without_start).special_ids == (0, 1, 0)


def test_a_file_that_was_cut_short(tmp_path: Path):
    file = write_folder(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(T5MixError, match=r"model.safetensors is no whole safetensors file"):
        read_huggingface(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '"t5"'])
def test_a_configuration_that_is_none(tmp_path: Path, text: str):
    (write_folder(tmp_path) / "config.json").write_text(text)
    with pytest.raises(T5MixError, match=r"config.json"):
        read_huggingface(tmp_path)


def test_no_weights_and_weights_of_other_frameworks(tmp_path: Path):
    (write_folder(tmp_path) / "model.safetensors").unlink()
    with pytest.raises(T5MixError, match=r"neither model.safetensors nor pytorch_model.bin"):
        read_huggingface(tmp_path)
    (tmp_path / "flax_model.msgpack").touch()
    with pytest.raises(
        T5MixError, match=r"flax_model.msgpack only. Load it once with Transformers 4 and from_flax=True"
    ):
        read_huggingface(tmp_path)


def shard(folder: Path) -> dict[str, Any]:
    """Divides the weights of a folder into two files with an index, which is returned."""
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    names = sorted(weights)
    halves = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    for file, held in halves.items():
        safetensors.numpy.save_file({name: weights[name] for name in held}, folder / file)
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {name: file for file, held in halves.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return index


def test_several_files(tmp_path: Path):
    whole = read_huggingface(write_folder(tmp_path / "whole"))
    shard(write_folder(tmp_path / "sharded"))
    sharded = read_huggingface(tmp_path / "sharded")
    for path, tensor in whole.tensors.items():
        np.testing.assert_array_equal(sharded.tensors[path].read(), tensor.read())


def test_an_index_that_does_not_fit_its_files(tmp_path: Path):
    index, file = shard(write_folder(tmp_path)), tmp_path / "model.safetensors.index.json"
    file.write_text(
        json.dumps({"weight_map": {**index["weight_map"], "more.weight": "model-00001-of-00002.safetensors"}})
    )
    with pytest.raises(T5MixError, match=r"differ in what the file holds, in more.weight for instance"):
        read_huggingface(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(T5MixError, match=r"names 2 files, of which 1 are not there: model-00002-of-00002.safetensors"):
        read_huggingface(tmp_path)
    for text in ("{}", "[]", '{"weight_map": []}', "{"):
        file.write_text(text)
        with pytest.raises(T5MixError, match=r"is no index of weights"):
            read_huggingface(tmp_path)
    file.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))
    with pytest.raises(T5MixError, match=r"are not there: \.\./elsewhere"):
        read_huggingface(tmp_path)


class Evil:
    """What a pickle would run if it were loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this was run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({"shared.weight": Evil()}), r"it wants to call builtins.print"),
        (pickle.dumps([1, 2]), r"something else than a dictionary of tensors"),
        (pickle.dumps({"shared.weight": 3}), r"something else than a dictionary of tensors"),
        (b"\x80\x04nonsense", r"is no file of weights|is not read"),
        (None, r"data.pkl is missing"),
    ],
)
def test_a_pickle_that_is_no_weights(
    tmp_path: Path, content: bytes | None, message: str, capfd: pytest.CaptureFixture[str]
):
    (write_folder(tmp_path) / "model.safetensors").unlink()
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
        if content is not None:
            archive.writestr("archive/data.pkl", content)
    with pytest.raises(T5MixError, match=message):
        read_huggingface(tmp_path)
    assert "this was run" not in capfd.readouterr().out


def test_a_pickle_that_is_no_archive(tmp_path: Path):
    (write_folder(tmp_path) / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"shared.weight": Evil()}))
    with pytest.raises(T5MixError, match=r"is no whole file of weights as PyTorch 1.6 and later write it"):
        read_huggingface(tmp_path)
