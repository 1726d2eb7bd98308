"""Decoding of T5 with a cache, against the uncached model."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.decoding import Decoded, GenerationConfig, PrefixTree, decode
from t5mix.errors import T5MixError
from t5mix.finetuning import LoRA, PerTask, PrefixTuning
from t5mix.model import T5Config, abstract_model, init_params, merge_params
from tests.decoding import plain_beams
from tests.decoding.plain_greedy import greedy_decode

LENGTH = 9
INPUTS = jnp.array([[5, 6, 7, 8, 9, 1], [10, 11, 1, 0, 0, 0], [12, 13, 14, 1, 0, 0], [0, 0, 0, 0, 0, 0]])
NEVER = -1  # an EOS that no row reaches

V1_1 = T5Config(
    vocab_size=24,
    d_model=16,
    d_ff=24,
    d_kv=4,
    num_heads=2,
    num_layers=1,
    num_decoder_layers=2,
    relative_buckets=8,
    relative_max_distance=6,
)
V1_0 = dataclasses.replace(V1_1, activation="relu", tie_embeddings=True, scale_logits=True)

Decode = Callable[[int], Any]
GREEDY = GenerationConfig(max_new_tokens=LENGTH)


def compile_both(config: T5Config) -> tuple[Decode, Callable[[jax.Array], np.ndarray]]:
    """Greedy decoding by EOS token; and log-probabilities of the uncached model, given all its inputs."""
    graphdef, _ = abstract_model(config)
    params = init_params(config, jax.random.key(7))
    # A tied model that is not trained repeats its input; a weak embedding lets the blocks decide.
    params["token_embedding/embedding"] *= 0.1
    greedy = jax.jit(lambda p, eos: decode(merge_params(graphdef, p), INPUTS, GREEDY, eos_id=eos))

    def teacher_forced(p, decoder_inputs):
        batch = {
            "encoder_inputs": INPUTS,
            "encoder_segment_ids": (INPUTS > 0).astype(jnp.int32),
            "decoder_inputs": decoder_inputs,
            "decoder_segment_ids": jnp.ones_like(decoder_inputs),
        }
        return jax.nn.log_softmax(merge_params(graphdef, p)(batch))

    forced = jax.jit(teacher_forced)

    def first_of_one(eos: int) -> Decoded:
        decoded = jax.device_get(greedy(params, eos))
        assert decoded.tokens.shape == decoded.log_probs.shape == (4, 1, LENGTH)
        return Decoded(*(leaf[:, 0] for leaf in decoded))

    return first_of_one, lambda inputs: np.asarray(forced(params, inputs))


@pytest.fixture(scope="module", params=[V1_0, V1_1], ids=["1.0", "1.1"])
def both(request: pytest.FixtureRequest) -> tuple[Decode, Callable[[jax.Array], np.ndarray]]:
    return compile_both(request.param)


def test_each_token_is_the_uncached_models_best_given_those_before(both) -> None:
    greedy, uncached = both
    decoder_inputs = jnp.zeros((4, LENGTH), jnp.int32)
    best = []
    for step in range(LENGTH):
        log_probs = uncached(decoder_inputs)[:, step]
        best.append(log_probs.max(-1))
        if step + 1 < LENGTH:
            decoder_inputs = decoder_inputs.at[:, step + 1].set(log_probs.argmax(-1))
    last = log_probs.argmax(-1)
    expected = np.concatenate([decoder_inputs[:, 1:], last[:, None]], axis=1)
    decoded = greedy(NEVER)
    assert len(np.unique(expected[:3])) > 3, "the case is too simple to tell"
    np.testing.assert_array_equal(decoded.tokens[:3], expected[:3])
    np.testing.assert_allclose(decoded.log_probs[:3], np.stack(best, axis=1)[:3], rtol=1e-4)
    np.testing.assert_allclose(decoded.scores[:3], np.sum(best, axis=0)[:3], rtol=1e-4)


def test_after_eos_comes_padding_and_no_probability(both) -> None:
    greedy, uncached = both
    free = greedy(NEVER).tokens
    eos = int(free[0, 3])
    decoded = greedy(eos)
    forced = uncached(jnp.pad(jnp.asarray(free[:, :-1]), ((0, 0), (1, 0))))
    for row in range(3):
        ends = np.flatnonzero(free[row] == eos)
        length = ends[0] + 1 if len(ends) else LENGTH
        np.testing.assert_array_equal(decoded.tokens[row, :length], free[row, :length])
        assert not np.any(decoded.tokens[row, length:])
        np.testing.assert_allclose(decoded.log_probs[row, :length], forced[row].max(-1)[:length], rtol=1e-4)
        assert not np.any(decoded.log_probs[row, length:])
        np.testing.assert_allclose(decoded.scores[row], forced[row].max(-1)[:length].sum(), rtol=1e-4)
    assert eos in decoded.tokens[0]


def test_a_row_of_padding_decodes_to_padding(both) -> None:
    greedy, _ = both
    decoded = greedy(NEVER)
    assert not np.any(decoded.tokens[3])
    assert not np.any(decoded.log_probs[3])
    assert decoded.scores[3] == 0.0


def test_bfloat16_decodes_in_the_same_types() -> None:
    greedy, _ = compile_both(dataclasses.replace(V1_1, dtype="bfloat16"))
    decoded = greedy(NEVER)
    assert decoded.tokens.dtype == jnp.int32
    assert decoded.log_probs.dtype == decoded.scores.dtype == jnp.float32
    assert np.isfinite(decoded.log_probs).all()


def model_of(config: T5Config = V1_1, policy: Any = None) -> tuple[Any, dict[str, jax.Array]]:
    """A model whose answers differ between inputs and whose beams part, with noise on what fine-tuning adds."""
    adapt = policy and policy.adapt
    params = init_params(config, jax.random.key(7), adapt)
    draw = np.random.default_rng(1)
    return abstract_model(config, adapt)[0], {
        path: leaf * (0.1 if path == "token_embedding/embedding" else 3.0 if "cross_attention/" in path else 1.0)
        + (0.3 * draw.standard_normal(leaf.shape) if "prefix" in path or "lora" in path else 0.0)
        for path, leaf in params.items()
    }


def run(model: tuple[Any, Any], inputs: Any, config: GenerationConfig, **options: Any) -> Decoded:
    tree = options.pop("tree", None)

    def decoded(params: Any, inputs: jax.Array) -> Decoded:
        return decode(merge_params(model[0], params), inputs, config, tree=tree, **options)

    return jax.device_get(jax.jit(decoded)(model[1], jnp.asarray(inputs)))


@pytest.mark.parametrize(
    "config", [V1_0, V1_1, dataclasses.replace(V1_1, dtype="bfloat16")], ids=["1.0", "1.1", "bf16"]
)
@pytest.mark.parametrize("eos", [NEVER, 5])
def test_greedy_gives_the_bits_of_a_plain_loop(config: T5Config, eos: int):
    graphdef, params = model_of(config)
    plain = jax.jit(lambda p: greedy_decode(merge_params(graphdef, p), INPUTS, LENGTH, eos_id=eos))(params)
    decoded = run((graphdef, params), INPUTS, GREEDY, eos_id=eos)
    np.testing.assert_array_equal(decoded.tokens[:, 0], plain.tokens)
    np.testing.assert_array_equal(decoded.scores[:, 0], plain.log_probs)


BEAMS = GenerationConfig(max_new_tokens=LENGTH, num_beams=3, num_return_sequences=3)
SAMPLES = GenerationConfig(max_new_tokens=LENGTH, do_sample=True, num_return_sequences=3)


TASKS = jnp.array([0, 1, 1, 0])
POLICIES = {"prefix": PrefixTuning(length=2), "bank": PerTask(policy=LoRA(rank=2), tasks=("red", "green"))}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("prefix", BEAMS),
        ("bank", BEAMS),
        ("prefix", dataclasses.replace(BEAMS, beam_rules="t5x")),
        ("prefix", dataclasses.replace(BEAMS, do_sample=True)),
        ("bank", SAMPLES),
    ],
)
def test_log_probabilities_are_those_of_the_uncached_model(name: str, config: GenerationConfig):
    """Each of several sequences sees its own tokens in the cache that it shares, wherever they were written."""
    tasks = TASKS if name == "bank" else None
    graphdef, params = model_of(policy=POLICIES[name])
    decoded = run((graphdef, params), INPUTS, config, eos_id=5, task_ids=tasks)
    tokens = decoded.tokens.reshape(-1, LENGTH)
    inputs = jnp.repeat(INPUTS, 3, axis=0)
    batch = {
        "encoder_inputs": inputs,
        "encoder_segment_ids": (inputs > 0).astype(jnp.int32),
        "decoder_inputs": jnp.pad(tokens[:, :-1], ((0, 0), (1, 0))),
        "decoder_segment_ids": jnp.ones_like(tokens),
    }
    if tasks is not None:
        by_row = jnp.repeat(tasks, 3)[:, None]
        batch["encoder_task_ids"], batch["decoder_task_ids"] = (
            jnp.broadcast_to(by_row, leaf.shape) for leaf in (inputs, tokens)
        )
    forced = jax.jit(lambda p: jax.nn.log_softmax(merge_params(graphdef, p)(batch)))(params)
    expected = np.take_along_axis(np.asarray(forced), tokens[..., None], axis=-1)[..., 0]
    before_end = np.cumsum(tokens == 5, axis=1) - (tokens == 5) == 0
    is_answer = (np.repeat(np.arange(4), 3) < 3) & (decoded.scores.reshape(-1) > -1e6)  # T5X may find fewer than asked
    real = before_end & is_answer[:, None]
    np.testing.assert_allclose(decoded.log_probs.reshape(-1, LENGTH), np.where(real, expected, 0.0), atol=1e-4)
    assert len({tuple(row) for row in tokens[is_answer].tolist()}) >= 8, "the case is too simple to tell"


def test_beams_are_what_a_plain_search_finds_in_the_uncached_model():
    graphdef, params = model_of()
    forced = jax.jit(
        lambda decoder_inputs, row: jax.nn.log_softmax(
            merge_params(graphdef, params)(
                {
                    "encoder_inputs": INPUTS[row][None],
                    "encoder_segment_ids": (INPUTS[row][None] > 0).astype(jnp.int32),
                    "decoder_inputs": decoder_inputs,
                    "decoder_segment_ids": jnp.ones_like(decoder_inputs),
                }
            )
        )[0]
    )

    def scores(row: int, tokens: tuple[int, ...]) -> np.ndarray:
        decoder_inputs = np.zeros((1, LENGTH), np.int32)
        decoder_inputs[0, 1 : len(tokens) + 1] = tokens
        return np.asarray(forced(decoder_inputs, row))[len(tokens)]

    decoded = run((graphdef, params), INPUTS, BEAMS, eos_id=5)
    for row in range(3):
        found = plain_beams.hugging_face(
            functools.partial(scores, row), beams=3, limit=LENGTH, penalty=1.0, early_stopping=False, eos_id=5
        )
        padded = [[*beam.tokens, *[0] * (LENGTH - len(beam.tokens))] for beam in found]
        assert decoded.tokens[row].tolist() == padded
        np.testing.assert_allclose(decoded.scores[row], [beam.score for beam in found], rtol=1e-4)


@pytest.mark.parametrize("config", [SAMPLES, dataclasses.replace(BEAMS, do_sample=True)], ids=["samples", "beams"])
def test_samples_are_the_same_whatever_the_batch_and_the_bucket(config: GenerationConfig):
    model, numbers = model_of(), jnp.array([4, 9, 2])
    whole = run(model, INPUTS[:3], config, row_numbers=numbers)
    for order in ([2, 0], [1]):
        longer = jnp.pad(INPUTS[jnp.array(order)], ((0, 0), (0, 5)))
        part = run(model, longer, config, row_numbers=numbers[jnp.array(order)])
        np.testing.assert_array_equal(part.tokens, whole.tokens[order])
        np.testing.assert_allclose(part.log_probs, whole.log_probs[order], atol=1e-4)
    assert (run(model, INPUTS[:3], config).tokens != whole.tokens).any(), "numbers decide"
    assert (run(model, INPUTS[:3], config, row_numbers=numbers, seed=1).tokens != whole.tokens).any(), "seeds decide"
    seeded = dataclasses.replace(config, seed=1)
    np.testing.assert_array_equal(
        run(model, INPUTS[:3], seeded, row_numbers=numbers).tokens,
        run(model, INPUTS[:3], config, row_numbers=numbers, seed=jnp.uint32(1)).tokens,
    )


@pytest.mark.parametrize("config", [GREEDY, BEAMS], ids=["greedy", "beams"])
def test_special_tokens_may_have_any_ids(config: GenerationConfig):
    """A vocabulary in another order, with another token than padding to start with, gives the same answers."""
    graphdef, params = model_of(V1_0)
    order = np.random.default_rng(0).permutation(24)
    place = np.argsort(order)  # the new id of each token
    shuffled = params | {"token_embedding/embedding": params["token_embedding/embedding"][order]}
    plain = run((graphdef, params), INPUTS, config, start_id=9, eos_id=5)
    ids = {"start_id": int(place[9]), "eos_id": int(place[5]), "pad_id": int(place[0])}
    other = run((graphdef, shuffled), place[np.asarray(INPUTS)], config, **ids)
    np.testing.assert_array_equal(other.tokens, place[plain.tokens])
    np.testing.assert_allclose(other.scores, plain.scores, rtol=1e-5)
    assert (run((graphdef, params), INPUTS, config, eos_id=5).tokens != plain.tokens).any(), "the start token decides"


def test_answers_may_be_given_as_a_tree():
    model, answers = model_of(), [(5, 6), (5,), (7, 8, 9)]
    tree = PrefixTree.of(answers, eos_id=1)
    allowed = {(*answer, 1, *[0] * (LENGTH - 1 - len(answer))) for answer in answers}
    for config in (GREEDY, BEAMS, SAMPLES):
        decoded = run(model, INPUTS[:3], config, tree=tree)
        assert {*map(tuple, decoded.tokens.reshape(-1, LENGTH).tolist())} <= allowed
    beams = run(model, INPUTS[:3], BEAMS, tree=tree)
    assert all({*map(tuple, row)} == allowed for row in beams.tokens.tolist())
    with pytest.raises(T5MixError, match="raise max_new_tokens to 4"):
        run(model, INPUTS, dataclasses.replace(GREEDY, max_new_tokens=3), tree=tree)


def test_processors_apply_to_greedy_answers_whose_log_probabilities_stay_the_models():
    model = model_of()
    config = dataclasses.replace(GREEDY, repetition_penalty=2.0, no_repeat_ngram_size=2, min_new_tokens=LENGTH)
    plain, processed = (run(model, INPUTS, which) for which in (GREEDY, config))
    for row in range(3):
        tokens = [0, *processed.tokens[row, 0].tolist()]
        assert len({*itertools.pairwise(tokens)}) == LENGTH
        assert 1 not in tokens
    assert (processed.tokens != plain.tokens).any()
    np.testing.assert_allclose(processed.scores, processed.log_probs.sum(axis=-1), rtol=1e-5)
    assert (processed.log_probs[:3] < 0).all()
