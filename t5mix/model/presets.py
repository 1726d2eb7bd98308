"""The named sizes of the T5 family, and two that train on a CPU."""

from t5mix.model.config import T5Config

T5_VOCAB_SIZE = 32_128
"""The published models' 32,000 pieces and 100 sentinels, rounded up to a multiple of 128."""


def _t5(d_model: int, d_ff: int, d_kv: int, num_heads: int, num_layers: int) -> T5Config:
    """T5 1.0: ReLU, tied embeddings, scaled logits."""
    return T5Config(
        vocab_size=T5_VOCAB_SIZE,
        d_model=d_model,
        d_ff=d_ff,
        d_kv=d_kv,
        num_heads=num_heads,
        num_layers=num_layers,
        num_decoder_layers=num_layers,
        activation="relu",
        tie_embeddings=True,
        scale_logits=True,
    )


def _t5_1_1(d_model: int, d_ff: int, num_heads: int, num_layers: int) -> T5Config:
    """T5 1.1: gated GELU, untied output, no scaling."""
    return T5Config(
        vocab_size=T5_VOCAB_SIZE,
        d_model=d_model,
        d_ff=d_ff,
        num_heads=num_heads,
        num_layers=num_layers,
        num_decoder_layers=num_layers,
    )


PRESETS: dict[str, T5Config] = {
    # For CPUs: 1.1 in miniature, with whatever vocabulary the experiment has.
    "tiny": T5Config(d_model=64, d_ff=128, d_kv=16, num_heads=4, num_layers=2, num_decoder_layers=2),
    "mini": T5Config(d_model=256, d_ff=512, d_kv=64, num_heads=4, num_layers=4, num_decoder_layers=4),
    # Raffel et al. 2020, section 3.7.
    "t5_small": _t5(512, 2048, 64, 8, 6),
    "t5_base": _t5(768, 3072, 64, 12, 12),
    "t5_large": _t5(1024, 4096, 64, 16, 24),
    "t5_3b": _t5(1024, 16384, 128, 32, 24),
    "t5_11b": _t5(1024, 65536, 128, 128, 24),
    # T5 1.1, and with other vocabularies mT5 and Flan-T5.
    "t5_1_1_small": _t5_1_1(512, 1024, 6, 8),
    "t5_1_1_base": _t5_1_1(768, 2048, 12, 12),
    "t5_1_1_large": _t5_1_1(1024, 2816, 16, 24),
    "t5_1_1_xl": _t5_1_1(2048, 5120, 32, 24),
    "t5_1_1_xxl": _t5_1_1(4096, 10240, 64, 24),
}
"""Preset name -> configuration. The two small ones leave `vocab_size` to the vocabulary."""

AUTO = "auto"
"""In a preset's place: the model of the checkpoint that a run starts from, else the default."""

DEFAULT_PRESET = "tiny"
