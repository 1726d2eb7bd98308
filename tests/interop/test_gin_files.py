from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.interop.gin_files import model_settings, read_gin

GIN = """
# A comment with an = sign
from __gin__ import dynamic_registration
import mesh_tensorflow.optimize
include 'other.gin'

DROPOUT_RATE = 0.25  # another
COPY = %DROPOUT_RATE
LOOP = %LOOP
NEEDED = %gin.REQUIRED
name = 'a # b'
network.Transformer.config = @network.T5Config()
network.T5Config:
  emb_dim = 12
  mlp_activations = ('gelu',
                     'linear')
  dropout_rate = %COPY
d_ff = 64
run.layout = \\
    'batch:batch'
run.schedule = \\
    [@first,
     @second]
encoder/DenseReluDense.activation = ['swish', 'linear']
decoder/DenseReluDense.activation = ['swish', 'linear']
LATE/macro.value = 3
last = %LATE
d_ff = 65
"""


@pytest.fixture
def gin(tmp_path: Path) -> Path:
    path = tmp_path / "config.gin"
    path.write_text(GIN)
    return path


def test_literals_and_macros_are_read(gin: Path):
    assert read_gin(gin) == {
        "DROPOUT_RATE": 0.25,
        "COPY": 0.25,
        "name": "a # b",
        "network.T5Config.emb_dim": 12,
        "network.T5Config.mlp_activations": ("gelu", "linear"),
        "network.T5Config.dropout_rate": 0.25,
        "d_ff": 65,
        "run.layout": "batch:batch",
        "encoder/DenseReluDense.activation": ["swish", "linear"],
        "decoder/DenseReluDense.activation": ["swish", "linear"],
        "LATE": 3,
        "last": 3,
    }


def test_settings_have_t5mix_names(gin: Path):
    names = {"d_model": "T5Config.emb_dim", "d_ff": "d_ff", "activation": "T5Config.mlp_activations", "d_kv": "absent"}
    assert model_settings(gin, names) == {"d_model": 12, "d_ff": 65, "activation": "gated-gelu"}
    assert model_settings(gin, {"activation": "DenseReluDense.activation"}) == {"activation": "gated-silu"}


@pytest.mark.parametrize(
    ("value", "activation"),
    [
        ("'relu'", "relu"),
        ("('relu',)", "relu"),
        ("['relu', 'linear']", "gated-relu"),
        ("('gelu',)", "gelu"),
        ("('gelu', 'gelu')", "gelu-gelu"),
        ("7", "7"),
    ],
)
def test_activations_that_t5mix_lacks_keep_a_name(tmp_path: Path, value: str, activation: str):
    (tmp_path / "config.gin").write_text(f"T5Config.mlp_activations = {value}")
    settings = model_settings(tmp_path / "config.gin", {"activation": "T5Config.mlp_activations"})
    assert settings == {"activation": activation}


def test_stacks_that_differ_are_refused(tmp_path: Path):
    (tmp_path / "config.gin").write_text("encoder/A.rate = 1\ndecoder/A.rate = 2\n")
    with pytest.raises(T5MixError, match=r"gives A\.rate the values 1 and 2"):
        model_settings(tmp_path / "config.gin", {"dropout_rate": "A.rate"})


def test_nothing_is_run(tmp_path: Path):
    (tmp_path / "config.gin").write_text("a = open('made', 'w')\nb = __import__('os')\nc = " + "(" * 5000 + "\nd = 1")
    assert read_gin(tmp_path / "config.gin") == {}
