"""config.json of Transformers, read and written: the one place that knows how its versions disagree.

Versions 4 and 5 differ in what `tie_word_embeddings` means, also where it is absent. Whether a model is tied is decided
by its tensors; whether its logits are scaled, by `scale_decoder_outputs`, or by what its version made of the other key.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from t5mix.errors import T5MixError
from t5mix.interop.foreign import SpecialIds
from t5mix.model.config import T5Config

_FAMILIES = ("t5", "mt5", "umt5")
_OTHERS = {
    "longt5": "its encoder attends locally",
    "switch_transformers": "it has experts",
    "t5gemma": "it is Gemma's architecture, with rotary positions; not yet",
    "t5gemma2": "it is Gemma's architecture, with rotary positions; not yet",
    "myt5": "its vocabulary is of morphemes over bytes",
    "bart": "it is another architecture",
    "mbart": "it is another architecture",
}
_PROJECTIONS = {"relu": (False, "relu"), "gated-gelu": (True, "gelu_new"), "gated-silu": (True, "silu")}
"""What `feed_forward_proj` means, as (gated, function)."""
_ACTIVATIONS = {meaning: name for name, meaning in _PROJECTIONS.items()}


class TensorEvidence(NamedTuple):
    """What the tensors of a model say about its shape.

    Attributes:
        gated: its feed-forward sublayers have two inner maps.
        own_head: it has an output matrix that is not its embedding.
        head: it has an output matrix.
        bias_in_each_block: a relative bias lies in blocks above the first.
    """

    gated: bool
    own_head: bool
    head: bool
    bias_in_each_block: bool


def read_config(config: Mapping[str, Any], evidence: TensorEvidence) -> T5Config:
    """Returns the shape of the model that a config.json describes.

    Args:
        config: its content.
        evidence: what the tensors say.

    Raises:
        T5MixError: another architecture, a function that T5 does not have, or a config that versions of Transformers
            read as two different models.
    """
    family = config.get("model_type")
    if family not in _FAMILIES:
        why = f" ({_OTHERS[family]})" if family in _OTHERS else ""
        raise T5MixError(f"config.json: model_type is {family!r}{why}; t5mix reads {', '.join(_FAMILIES)}.")
    layers = _number(config, "num_layers", 8 if family == "mt5" else 6)
    small = family != "t5"  # mT5's and umT5's defaults are those of 1.1
    try:
        return T5Config(
            vocab_size=_number(config, "vocab_size", 32128 if family == "t5" else 250112),
            d_model=_number(config, "d_model", 512),
            d_ff=_number(config, "d_ff", 1024 if small else 2048),
            d_kv=_number(config, "d_kv", 64),
            num_heads=_number(config, "num_heads", 6 if small else 8),
            num_layers=layers,
            num_decoder_layers=_number(config, "num_decoder_layers", layers),
            activation=_activation(config, evidence),  # type: ignore[arg-type]
            tie_embeddings=_is_tied(config, evidence),
            scale_logits=_is_scaled(config),
            dropout_rate=float(config.get("dropout_rate", 0.1)),
            relative_buckets=_number(config, "relative_attention_num_buckets", 32),
            relative_max_distance=_number(config, "relative_attention_max_distance", 128),
            relative_bias="per_block" if evidence.bias_in_each_block else "shared",
            layer_norm_epsilon=float(config.get("layer_norm_epsilon", 1e-6)),
        )
    except ValueError as error:
        raise T5MixError(f"config.json: {error}.") from error


def read_special_ids(config: Mapping[str, Any]) -> SpecialIds:
    """Returns the special ids of a config.json, T5's where it does not say."""
    pad = _number(config, "pad_token_id", 0)
    eos = config.get("eos_token_id", 1)
    eos = eos[0] if isinstance(eos, list) and len(eos) == 1 else eos
    return SpecialIds(
        pad, _number({"eos_token_id": eos}, "eos_token_id", 1), _number(config, "decoder_start_token_id", pad)
    )


def write_config(model: T5Config, ids: SpecialIds) -> dict[str, Any]:
    """Returns the config.json that versions 4.57 and 5 of Transformers read as the same model.

    The model's type is t5 whatever it descends from, since mT5's class cannot scale in version 5; except where each
    block has a relative bias, which only umt5 has. Keys that versions compute are said all the same: they disagree.
    """
    gated, function = _PROJECTIONS[model.activation]
    family, name = ("t5", "T5") if model.relative_bias == "shared" else ("umt5", "UMT5")
    tied_and_scaled = model.tie_embeddings and model.scale_logits
    return {
        "architectures": [f"{name}ForConditionalGeneration"],
        "model_type": family,
        "is_encoder_decoder": True,
        "vocab_size": model.vocab_size,
        "d_model": model.d_model,
        "d_kv": model.d_kv,
        "d_ff": model.d_ff,
        "num_layers": model.num_layers,
        "num_decoder_layers": model.num_decoder_layers,
        "num_heads": model.num_heads,
        "relative_attention_num_buckets": model.relative_buckets,
        "relative_attention_max_distance": model.relative_max_distance,
        "dropout_rate": model.dropout_rate,
        "layer_norm_epsilon": model.layer_norm_epsilon,
        "initializer_factor": 1.0,
        "feed_forward_proj": model.activation,
        "is_gated_act": gated,
        "dense_act_fn": function,
        "tie_word_embeddings": tied_and_scaled,
        "scale_decoder_outputs": tied_and_scaled,
        "use_cache": True,
        "pad_token_id": ids.pad,
        "eos_token_id": ids.eos,
        "decoder_start_token_id": ids.start,
    }


def _activation(config: Mapping[str, Any], evidence: TensorEvidence) -> str:
    """Returns the activation: the tensors decide whether it is gated, `dense_act_fn` the function where it is there."""
    projection = config.get("feed_forward_proj", "relu" if config["model_type"] == "t5" else "gated-gelu")
    named = projection.removeprefix("gated-")
    function = config.get("dense_act_fn") or ("gelu_new" if projection == "gated-gelu" else named)
    activation = _ACTIVATIONS.get((evidence.gated, function))
    if activation is None:
        gate = "gated" if evidence.gated else "without a gate"
        raise T5MixError(
            f"config.json: the feed-forward function is {function!r}, {gate} (feed_forward_proj is {projection!r}); "
            "t5mix has relu without a gate, and gelu_new and silu with one."
        )
    return activation


def _is_tied(config: Mapping[str, Any], evidence: TensorEvidence) -> bool:
    tie = _ties(config)
    if evidence.own_head:
        # Version 5 writes True for models with a head of their own, and says how they are scaled beside it.
        if (
            tie
            and "scale_decoder_outputs" not in config
            and not (config["model_type"] == "mt5" and _version(config) >= 5)
        ):
            raise T5MixError(
                "by config.json the output matrix is the embedding (tie_word_embeddings is true or left out), and the "
                "weights hold another one, lm_head.weight: Transformers 4 would drop it, 5 keeps it. Set "
                "tie_word_embeddings to false if lm_head.weight was trained."
            )
        return False
    if not evidence.head and not tie:
        raise T5MixError(
            "config.json says that the output matrix is not the embedding (tie_word_embeddings is false), and the "
            "weights lack it: an untied model needs lm_head.weight."
        )
    return True


def _is_scaled(config: Mapping[str, Any]) -> bool:
    if "scale_decoder_outputs" in config:
        return bool(config["scale_decoder_outputs"])
    never = config["model_type"] == "mt5" and _version(config) >= 5
    return _ties(config) and not never


def _ties(config: Mapping[str, Any]) -> bool:
    """Returns what `tie_word_embeddings` is, or was taken for by the version that left it out."""
    untied_by_default = config["model_type"] == "mt5" and _version(config) < 5
    return bool(config.get("tie_word_embeddings", not untied_by_default))


def _version(config: Mapping[str, Any]) -> int:
    """Returns the major version of Transformers that wrote the file; 4 where it does not say."""
    major = str(config.get("transformers_version", "4")).split(".")[0]
    return int(major) if major.isdigit() else 4


def _number(config: Mapping[str, Any], key: str, default: int) -> int:
    value = config.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise T5MixError(f"config.json: {key} is {value!r}; it must be a whole number.")
    return value
