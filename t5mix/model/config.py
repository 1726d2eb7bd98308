"""The shape of a T5 model."""

from typing import Literal

from t5mix.configurable import configurable


@configurable
class T5Config:
    """The architecture of an encoder-decoder of either T5 generation (Raffel et al. 2020, section 2.1).

    The defaults are T5 1.1 small. T5 1.0 has `activation="relu"`, `tie_embeddings=True` and
    `scale_logits=True`; the named sizes are in `t5mix.model.presets`.

    Attributes:
        vocab_size: V, rows of the embedding. None means that the vocabulary decides, rounded up to a
            multiple of 128; it must be filled in before a model is built.
        d_model: D, the width of the residual stream.
        d_ff: F, the inner width of the feed-forward sublayer.
        d_kv: K, the width of one attention head.
        num_heads: H, heads of every attention.
        num_layers: blocks in the encoder.
        num_decoder_layers: blocks in the decoder.
        activation: "relu" (1.0), "gated-gelu" (1.1: tanh approximation, gated) or "gated-silu" (UL2).
        tie_embeddings: the output matrix is the embedding's transpose (1.0).
        scale_logits: hidden states are multiplied by d_model^-0.5 before the output matrix (1.0).
        dropout_rate: the rate at every dropout site, used when a key is given.
        relative_buckets: buckets of the relative position bias.
        relative_max_distance: the distance from which on all positions share a bucket.
        relative_bias: "shared" by all blocks of a stack, or "per_block" (umT5, Pile-T5).
        layer_norm_epsilon: added to the mean square in the norms.
        dtype: the type that activations and matrix products are computed in. Parameters, norms,
            softmax and logits are float32 whatever it is.
        remat: recompute each block's activations in the backward pass, to save memory.
    """

    vocab_size: int | None = None
    d_model: int = 512
    d_ff: int = 1024
    d_kv: int = 64
    num_heads: int = 6
    num_layers: int = 8
    num_decoder_layers: int = 8
    activation: Literal["relu", "gated-gelu", "gated-silu"] = "gated-gelu"
    tie_embeddings: bool = False
    scale_logits: bool = False
    dropout_rate: float = 0.1
    relative_buckets: int = 32
    relative_max_distance: int = 128
    relative_bias: Literal["shared", "per_block"] = "shared"
    layer_norm_epsilon: float = 1e-6
    dtype: Literal["float32", "bfloat16"] = "float32"
    remat: bool = False

    def __post_init__(self) -> None:
        sizes = ("vocab_size", "d_model", "d_ff", "d_kv", "num_heads", "num_layers", "num_decoder_layers")
        for name in sizes:
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"{name} is {size}; it must be at least 1")
        choices = {
            "activation": ("relu", "gated-gelu", "gated-silu"),
            "relative_bias": ("shared", "per_block"),
            "dtype": ("float32", "bfloat16"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {allowed}")
        if not 0.0 <= self.dropout_rate < 1.0:
            raise ValueError(f"dropout_rate is {self.dropout_rate}; it must be at least 0 and below 1")
        if self.layer_norm_epsilon <= 0.0:
            raise ValueError(f"layer_norm_epsilon is {self.layer_norm_epsilon}; it must be above 0")
        if self.relative_buckets < 4 or self.relative_buckets % 4:
            raise ValueError(
                f"relative_buckets is {self.relative_buckets}; it must be a positive multiple of 4 "
                "(half of them for each direction, half of those exact)"
            )
        if self.relative_max_distance <= self.relative_buckets // 2:
            raise ValueError(
                f"relative_max_distance is {self.relative_max_distance}; it must exceed relative_buckets / 2 "
                f"= {self.relative_buckets // 2}, the distances that have buckets of their own"
            )
