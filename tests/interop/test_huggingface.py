"""What Transformers computes from a folder, t5mix computes from it too: one row for each family of checkpoints."""

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.decoding import GenerationConfig, decode
from t5mix.interop.foreign import ForeignCheckpoint, SpecialIds
from t5mix.interop.huggingface import read_huggingface
from t5mix.interop.huggingface_names import huggingface_names
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model, merge_params

GOLDEN = Path(__file__).parents[1] / "golden" / "huggingface"
FAMILIES = sorted(folder.name for folder in GOLDEN.iterdir() if folder.is_dir())


@functools.cache
def expected(family: str) -> dict[str, np.ndarray]:
    """What `make_golden.py` recorded; padding may hold anything, so what is compared is masked."""
    with np.load(GOLDEN / family / "expected.npz") as arrays:
        return dict(arrays)


@functools.cache
def checkpoint(family: str) -> ForeignCheckpoint:
    return read_huggingface(GOLDEN / family)


def params(family: str) -> dict[str, jax.Array]:
    return {path: jnp.asarray(tensor.read(), jnp.float32) for path, tensor in checkpoint(family).tensors.items()}


@functools.partial(jax.jit, static_argnames="config")
def forward(params: Any, batch: dict[str, jax.Array], config: T5Config) -> tuple[jax.Array, jax.Array]:
    model = merge_params(abstract_model(config)[0], params)
    return model.encode(batch["encoder_inputs"], batch["encoder_segment_ids"]), model(batch)


@functools.partial(jax.jit, static_argnames="config")
def loss_gradients(params: Any, batch: dict[str, jax.Array], labels: jax.Array, config: T5Config) -> Any:
    def loss(params: Any) -> jax.Array:
        log_probs = jax.nn.log_softmax(merge_params(abstract_model(config)[0], params)(batch))
        of_labels = jnp.take_along_axis(log_probs, labels[..., None], axis=-1)[..., 0]
        real = batch["decoder_segment_ids"] > 0
        return -jnp.sum(jnp.where(real, of_labels, 0.0)) / jnp.sum(real)

    return jax.value_and_grad(loss)(params)


def batch(family: str) -> dict[str, jax.Array]:
    arrays, pad = expected(family), checkpoint(family).special_ids.pad
    return {
        "encoder_inputs": jnp.asarray(arrays["inputs"]),
        "encoder_segment_ids": jnp.asarray(arrays["inputs"] != pad, jnp.int32),
        "decoder_inputs": jnp.asarray(arrays["decoder_inputs"]),
        "decoder_segment_ids": jnp.asarray(arrays["labels"] != pad, jnp.int32),
    }


def assert_close(actual: Any, wanted: np.ndarray, tolerance: float, name: str) -> None:
    """Compares relative to the largest number."""
    difference = float(np.max(np.abs(np.asarray(actual) - wanted)))
    assert difference <= tolerance * max(float(np.max(np.abs(wanted))), 1e-3), f"{name}: {difference}"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_encoder_and_the_logits(family: str):
    arrays, inputs = expected(family), batch(family)
    encoded, logits = forward(params(family), inputs, checkpoint(family).config)
    real_inputs, real_targets = (
        np.asarray(inputs[f"{end}_segment_ids"])[..., None] > 0 for end in ("encoder", "decoder")
    )
    assert_close(encoded * real_inputs, arrays["encoder_states"] * real_inputs, 1e-5, "encoder")
    assert_close(logits * real_targets, arrays["logits"] * real_targets, 1e-5, "logits")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_and_its_gradients(family: str):
    arrays, config = expected(family), checkpoint(family).config
    loss, gradients = loss_gradients(params(family), batch(family), jnp.asarray(arrays["labels"]), config)
    assert float(loss) == pytest.approx(float(arrays["loss"]), rel=1e-4)
    names = huggingface_names(config)
    recorded = {name.removeprefix("gradient/") for name in arrays if name.startswith("gradient/")}
    assert recorded == {name for name, _ in names.values()}
    for path, (name, transposed) in names.items():
        gradient = gradients[path].T if transposed else gradients[path]
        assert_close(gradient, arrays[f"gradient/{name}"], 1e-4, path)


SEARCHES = {
    "greedy": GenerationConfig(max_new_tokens=12),
    "beam": GenerationConfig(max_new_tokens=12, num_beams=4, num_return_sequences=4),
    "beam_early": GenerationConfig(
        max_new_tokens=12, num_beams=4, num_return_sequences=4, length_penalty=0.6, early_stopping=True
    ),
}
"""The options of `make_golden.py`."""


@functools.partial(jax.jit, static_argnames=("config", "generation", "ids"))
def decoded(params: Any, inputs: jax.Array, config: T5Config, generation: GenerationConfig, ids: SpecialIds) -> Any:
    model = merge_params(abstract_model(config)[0], params)
    return decode(model, inputs, generation, eos_id=ids.eos, pad_id=ids.pad, start_id=ids.start)


@pytest.mark.parametrize("search", ["greedy", "beam", pytest.param("beam_early", marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokens_and_scores_of_generate(family: str, search: str):
    arrays, read = expected(family), checkpoint(family)
    inputs = jnp.asarray(arrays["inputs"])
    answers = decoded(params(family), inputs, read.config, SEARCHES[search], read.special_ids)
    tokens = arrays[search] if search != "greedy" else arrays[search][:, None]
    np.testing.assert_array_equal(answers.tokens, tokens)
    if search != "greedy":
        np.testing.assert_allclose(answers.scores, arrays[f"{search}_scores"], atol=1e-4)
