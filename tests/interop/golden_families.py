"""The families of published T5 checkpoints in miniature, for make_golden.py: their config.json and how weights lie.

Each `config` has the keys that repositories of the family have, leftovers without effect included, and small sizes.
"Scaled" means that the decoder's states are multiplied by d_model^-0.5 before the output matrix.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

SHARED, HEAD = "shared.weight", "lm_head.weight"
ENCODER_EMBEDDING, DECODER_EMBEDDING = "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"
OLD_CROSS_BIAS = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of repositories, and the tiny random model that stands for it.

    Attributes:
        config: config.json.
        seed: of the weights and token ids; one with which `check_telling` of make_golden.py passes.
        untied: the output matrix is not the embedding.
        embedding_names: the tensors under which the embedding is stored. More than one are equal copies.
        unused: names of tensors that such files hold, with their shapes, and that no class has a place for.
        dtype: the type of the stored weights. What is computed is float32 in any case.
        files: one safetensors file, several with an index, or a pickled pytorch_model.bin.
        input_lengths: tokens of the inputs, EOS included. The first exceeds the last distance with a bucket of its own.
        label_lengths: tokens of the labels, EOS included.
        only_version_5: Transformers 4 computes something else from these files, and 5.24.0 what they were saved as:
            a config.json of version 5 says that embedding and output matrix are tied whatever the truth is. Version 4
            believes it and drops the output matrix. Version 5 ties what is equal in the file.
    """

    config: Mapping[str, Any]
    seed: int
    untied: bool = True
    embedding_names: tuple[str, ...] = (SHARED,)
    unused: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    files: Literal["safetensors", "shards", "bin"] = "safetensors"
    input_lengths: tuple[int, int, int] = (40, 27, 9)
    label_lengths: tuple[int, int, int] = (24, 15, 6)
    only_version_5: bool = False

    @property
    def scaled(self) -> bool:
        """Whether the logits are scaled: so are those of the tied ones, unless they say that they are not."""
        return not self.untied and self.config.get("scale_decoder_outputs", True)


def config_of(model_type: str, sizes: str, **keys: Any) -> dict[str, Any]:
    """Returns the keys that every repository has, and `keys`, sorted as they lie in config.json.

    Args:
        model_type: "t5", "mt5" or "umt5".
        sizes: V, d_model, d_kv, d_ff, heads, blocks of the encoder and of the decoder, separated by spaces.
        keys: the others. A key that is None is left out.
    """
    names = ("vocab_size", "d_model", "d_kv", "d_ff", "num_heads", "num_layers", "num_decoder_layers")
    config = {
        "architectures": [f"{model_type.upper()}ForConditionalGeneration"],
        "decoder_start_token_id": 0,
        "dropout_rate": 0.1,
        "eos_token_id": 1,
        "initializer_factor": 1.0,
        "is_encoder_decoder": True,
        "layer_norm_epsilon": 1e-06,
        "model_type": model_type,
        "pad_token_id": 0,
        "relative_attention_max_distance": 20,
        "relative_attention_num_buckets": 8,
        **dict(zip(names, map(int, sizes.split()), strict=True)),
        **keys,
    }
    return {name: config[name] for name in sorted(config) if config[name] is not None}


FAMILIES = {
    # The first generation: no tie key, so tied and scaled; no distance, so 128; no depth of the decoder, so the
    # encoder's. Its files hold a bias for the cross-attention, which never had any effect.
    "t5_1_0": Family(
        config_of(
            "t5",
            "104 16 4 32 4 2 2",
            num_decoder_layers=None,
            relative_attention_max_distance=None,
            n_positions=512,
            output_past=True,
            task_specific_params={"summarization": {"num_beams": 4, "prefix": "summarize: "}},
        ),
        seed=24,
        untied=False,
        unused={OLD_CROSS_BIAS: (8, 4)},
    ),
    "t5_1_1": Family(
        config_of(
            "t5",
            "104 16 4 24 3 2 2",
            feed_forward_proj="gated-gelu",
            output_past=True,
            tie_word_embeddings=False,
            use_cache=True,
        ),
        seed=3,
    ),
    "flan_t5": Family(
        config_of(
            "t5",
            "96 16 4 20 3 3 2",
            feed_forward_proj="gated-gelu",
            n_positions=512,
            output_past=True,
            tie_word_embeddings=False,
            transformers_version="4.23.1",
            use_cache=True,
        ),
        seed=3,
    ),
    # A repository of 2021: a pickle that holds each name of the embedding.
    "lm_adapted": Family(
        config_of(
            "t5",
            "96 16 6 20 2 2 2",
            feed_forward_proj="gated-gelu",
            gradient_checkpointing=False,
            output_past=True,
            tie_word_embeddings=False,
            torch_dtype="float32",
            transformers_version="4.14.0.dev0",
            use_cache=True,
        ),
        seed=1,
        embedding_names=(SHARED, ENCODER_EMBEDDING, DECODER_EMBEDDING),
        files="bin",
    ),
    "mt5": Family(
        config_of(
            "mt5",
            "112 16 4 20 3 2 2",
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
            tokenizer_class="T5Tokenizer",
            use_cache=True,
        ),
        seed=4,
    ),
    # V is 384 as it must be; the shorter sequences keep the logits small.
    "byt5": Family(
        config_of(
            "t5",
            "384 12 4 20 2 3 1",
            feed_forward_proj="gated-gelu",
            gradient_checkpointing=False,
            relative_attention_max_distance=10,
            tie_word_embeddings=False,
            tokenizer_class="ByT5Tokenizer",
            transformers_version="4.7.0.dev0",
            use_cache=True,
        ),
        seed=2,
        input_lengths=(24, 15, 6),
        label_lengths=(14, 8, 4),
    ),
    "aya_101": Family(
        config_of(
            "mt5",
            "112 16 4 24 4 2 2",
            classifier_dropout=0.0,
            dense_act_fn="gelu_new",
            feed_forward_proj="gated-gelu",
            is_gated_act=True,
            output_past=True,
            tie_word_embeddings=False,
            tokenizer_class="T5Tokenizer",
            torch_dtype="float32",
            transformers_version="4.37.1",
            use_cache=True,
        ),
        seed=2,
    ),
    # Padding is not id 0, and decoding does not start from padding. The embedding lies under one of its aliases.
    "madlad400": Family(
        config_of(
            "t5",
            "100 16 6 24 3 2 2",
            classifier_dropout=0.0,
            dense_act_fn="gelu_new",
            eos_token_id=2,
            feed_forward_proj="gated-gelu",
            is_gated_act=True,
            n_positions=512,
            output_past=True,
            pad_token_id=1,
            tie_word_embeddings=False,
            torch_dtype="float32",
            transformers_version="4.23.1",
            use_cache=True,
        ),
        seed=2,
        embedding_names=(DECODER_EMBEDDING,),
    ),
    # SiLU, and no tie key: tied and scaled, though gated.
    "ul2": Family(
        config_of(
            "t5",
            "104 16 8 24 2 2 2",
            dense_act_fn="silu",
            dropout_rate=0.0,
            feed_forward_proj="gated-silu",
            is_gated_act=True,
            n_positions=512,
            output_past=True,
            torch_dtype="bfloat16",
            transformers_version="4.20.1",
            use_cache=True,
        ),
        seed=37,
        untied=False,
        dtype="bfloat16",
    ),
    # A relative bias in each block.
    "umt5": Family(
        config_of(
            "umt5",
            "100 16 4 20 3 3 2",
            classifier_dropout=0.0,
            dense_act_fn="gelu_new",
            feed_forward_proj="gated-gelu",
            is_gated_act=True,
            output_past=True,
            scalable_attention=True,
            tie_word_embeddings=False,
            tokenizer_class="T5Tokenizer",
            torch_dtype="float32",
            transformers_version="4.31.0.dev0",
            use_cache=True,
        ),
        seed=6,
    ),
    "pile_t5": Family(
        config_of(
            "umt5",
            "104 16 4 24 4 2 2",
            classifier_dropout=0.0,
            dense_act_fn="gelu_new",
            feed_forward_proj="gated-gelu",
            is_gated_act=True,
            output_past=True,
            scalable_attention=True,
            tie_word_embeddings=False,
            tokenizer_class="LlamaTokenizer",
            torch_dtype="float32",
            transformers_version="4.38.0.dev0",
            use_cache=True,
        ),
        seed=2,
    ),
    # EOS is 2, as 1 is BOS; V is not padded. The files repeat the embedding under each of its names.
    "codet5": Family(
        config_of(
            "t5",
            "101 16 4 32 4 2 2",
            bos_token_id=1,
            eos_token_id=2,
            feed_forward_proj="relu",
            gradient_checkpointing=False,
            id2label={"0": "LABEL_0"},
            label2id={"LABEL_0": 0},
            n_positions=512,
            output_past=True,
            torch_dtype="float32",
            transformers_version="4.10.0.dev0",
            use_cache=True,
        ),
        seed=141,
        untied=False,
        embedding_names=(SHARED, ENCODER_EMBEDDING, DECODER_EMBEDDING, HEAD),
    ),
    "codet5p": Family(
        config_of(
            "t5",
            "103 16 4 32 4 2 3",
            bos_token_id=1,
            dense_act_fn="relu",
            eos_token_id=2,
            feed_forward_proj="relu",
            is_gated_act=False,
            n_positions=512,
            output_past=True,
            torch_dtype="float16",
            transformers_version="4.21.3",
            use_cache=True,
        ),
        seed=74,
        untied=False,
        dtype="float16",
    ),
    # No published family: V = D = H·K = F and buckets = heads, so that no shape tells whether a matrix is transposed.
    "square": Family(
        config_of("t5", "24 24 3 24 8 2 1", feed_forward_proj="gated-gelu", tie_word_embeddings=False),
        seed=13,
    ),
    # What t5mix writes for a tied model without scaling: 4.x can only say it with two equal matrices.
    "tied_unscaled": Family(
        config_of(
            "t5",
            "100 16 4 24 3 2 2",
            dense_act_fn="gelu_new",
            feed_forward_proj="gated-gelu",
            is_gated_act=True,
            scale_decoder_outputs=False,
            tie_word_embeddings=False,
        ),
        seed=29,
        untied=False,
        embedding_names=(SHARED, HEAD),
    ),
    # Several files; the decoder is the deeper one.
    "sharded": Family(
        config_of(
            "t5",
            "96 16 4 20 3 1 3",
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
            torch_dtype="float32",
            transformers_version="4.36.2",
            use_cache=True,
        ),
        seed=0,
        files="shards",
    ),
    # Models of T5 1.1 and mT5 that Transformers 5.24.0 has saved, for example after fine-tuning: untied and unscaled.
    "t5_saved_by_5": Family(
        config_of(
            "t5",
            "96 16 4 20 2 2 2",
            classifier_dropout=0.0,
            dense_act_fn="gelu_new",
            dtype="float32",
            feed_forward_proj="gated-gelu",
            is_decoder=False,
            is_gated_act=True,
            scale_decoder_outputs=False,
            tie_word_embeddings=True,
            transformers_version="5.24.0",
            use_cache=True,
        ),
        seed=0,
        only_version_5=True,
    ),
    "mt5_saved_by_5": Family(
        config_of(
            "mt5",
            "96 16 4 20 2 2 2",
            classifier_dropout=0.0,
            dense_act_fn="gelu_new",
            dtype="float32",
            feed_forward_proj="gated-gelu",
            is_decoder=False,
            is_gated_act=True,
            tie_word_embeddings=True,
            tokenizer_class="T5Tokenizer",
            transformers_version="5.24.0",
            use_cache=True,
        ),
        seed=0,
        only_version_5=True,
    ),
}
