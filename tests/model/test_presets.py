"""The published sizes, counted without allocating them, and what a configuration refuses."""

import dataclasses

import jax
import pytest

from t5mix.model import PRESETS, T5Config, abstract_model, count_params

PUBLISHED = {
    "t5_small": 60_506_624,
    "t5_base": 222_903_552,
    "t5_large": 737_668_096,
    "t5_3b": 2_851_598_336,
    "t5_11b": 11_307_321_344,
    "t5_1_1_small": 76_961_152,
    "t5_1_1_base": 247_577_856,
    "t5_1_1_large": 783_150_080,
    "t5_1_1_xl": 2_849_757_184,
    "t5_1_1_xxl": 11_135_332_352,
}


@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param(name, count, marks=[pytest.mark.slow] if count > 500_000_000 else [])
        for name, count in PUBLISHED.items()
    ],
)
def test_parameter_counts_are_the_published_ones(name: str, count: int) -> None:
    assert count_params(PRESETS[name]) == count


def test_the_base_model_has_the_norm_and_block_counts_that_policies_rely_on() -> None:
    _, shapes = abstract_model(PRESETS["t5_base"])
    assert all(isinstance(shape, jax.ShapeDtypeStruct) for shape in shapes.values())
    assert sum(s.size for path, s in shapes.items() if path.endswith("/scale")) == 47_616
    assert sum(path.endswith("attention/query/kernel") for path in shapes) == 36
    assert all(s.ndim <= 2 for s in shapes.values()), "Adafactor would factor other shapes differently"


def test_small_presets_take_the_vocabulary_they_are_given() -> None:
    for name in ("tiny", "mini"):
        assert PRESETS[name].vocab_size is None
        with pytest.raises(ValueError, match="vocab_size is None"):
            abstract_model(PRESETS[name])
        assert count_params(dataclasses.replace(PRESETS[name], vocab_size=256)) < 20e6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 0}, "d_model is 0"),
        ({"vocab_size": -1}, "vocab_size is -1"),
        ({"num_decoder_layers": 0}, "num_decoder_layers is 0"),
        ({"dropout_rate": 1.0}, "dropout_rate is 1.0"),
        ({"relative_buckets": 6}, "relative_buckets is 6"),
        ({"relative_max_distance": 16}, "relative_max_distance is 16"),
        ({"layer_norm_epsilon": 0.0}, "layer_norm_epsilon"),
        ({"activation": "gelu"}, "activation is 'gelu'"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
    ],
)
def test_impossible_configurations_are_refused_by_name(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        T5Config(**changes)
