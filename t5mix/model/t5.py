"""The T5 encoder-decoder (Raffel et al. 2020), in both generations, and its parameters as a flat dictionary.

The model holds parameters and nothing else: no random state, no caches, no optimizer.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from t5mix.model import masks
from t5mix.model.blocks import BlockContext, BlockDropout, Decoder, DecoderContext, Encoder
from t5mix.model.config import T5Config
from t5mix.model.layers import Dense, Dropout, Embedding, NoPrompt


class T5(nnx.Module):
    """T5, from tokens to logits.

    Args:
        config: the architecture; its `vocab_size` must be filled in.
        rngs: the source of the initial parameters (T5's initialisation: Mesh TensorFlow, T5X).

    Raises:
        ValueError: the vocabulary size is missing.
    """

    def __init__(self, config: T5Config, *, rngs: nnx.Rngs):
        if config.vocab_size is None:
            raise ValueError("vocab_size is None: fill it in from the vocabulary before building the model")
        self.config = config
        self.token_embedding = Embedding(config, config.vocab_size, rngs=rngs)
        self.prompt = NoPrompt()
        self.encoder = Encoder(config, rngs=rngs)
        self.decoder = Decoder(config, rngs=rngs)
        if not config.tie_embeddings:
            d_model, dtype = config.d_model, config.dtype
            self.output = Dense(
                d_model, config.vocab_size, d_model**-0.5, dtype=dtype, output_dtype="float32", rngs=rngs
            )

    def encode(
        self,
        inputs: jax.Array,
        segment_ids: jax.Array,
        positions: jax.Array | None = None,
        *,
        task_ids: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Runs the encoder.

        Args:
            inputs: [B, S] int32 tokens.
            segment_ids: [B, S], 0 for padding, 1 and up for the examples packed into the row.
            positions: [B, S], counted from 0 in each example, for a prompt; None where each row holds one example.
                Offsets in the row give the relative positions.
            task_ids: [B, S] or None, unused here: for modules that are routed by task.
            key: the dropout key; None for no dropout.

        Returns:
            [B, S, D], normalised, in the compute dtype.
        """
        rows, length = inputs.shape
        if positions is None:
            positions = jnp.broadcast_to(jnp.arange(length), inputs.shape)
        ends_key, blocks_key = _split_key(key)
        ends = self._ends_dropout(ends_key, rows)
        dropout = BlockDropout.draw(blocks_key, self.config, blocks=self.config.num_layers, rows=rows, length=length)
        visible = masks.segment_mask(segment_ids, segment_ids)
        bias = self.encoder.biases(lambda relative: jnp.where(visible, relative(length), masks.MASKED))
        hidden = ends[0](self.prompt(self.token_embedding(inputs), positions, task_ids))
        hidden = self.encoder(hidden, BlockContext(bias=bias, dropout=dropout, task_ids=task_ids))
        return ends[1](hidden)

    def decode(
        self,
        encoded: jax.Array,
        encoder_segment_ids: jax.Array,
        decoder_inputs: jax.Array,
        decoder_segment_ids: jax.Array,
        decoder_positions: jax.Array | None = None,
        *,
        task_ids: jax.Array | None = None,
        encoder_task_ids: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Runs the decoder on whole targets (teacher forcing).

        Args:
            encoded: [B, S, D] from `encode`.
            encoder_segment_ids: [B, S], as given to `encode`.
            decoder_inputs: [B, T] int32, the targets shifted right.
            decoder_segment_ids: [B, T], 0 for padding, else the segment of the inputs it belongs to.
            decoder_positions: [B, T], unused here.
            task_ids: [B, T] or None, unused here: for modules that are routed by task.
            encoder_task_ids: [B, S] or None, as given to `encode`.
            key: the dropout key; None for no dropout.

        Returns:
            [B, T, D], normalised, in the compute dtype; `logits` takes it to the vocabulary.
        """
        del decoder_positions
        rows, length = decoder_inputs.shape
        ends_key, blocks_key = _split_key(key)
        ends = self._ends_dropout(ends_key, rows)
        dropout = BlockDropout.draw(
            blocks_key,
            self.config,
            blocks=self.config.num_decoder_layers,
            rows=rows,
            length=length,
            source=encoded.shape[1],
        )
        visible = masks.segment_mask(decoder_segment_ids, decoder_segment_ids) & masks.causal_mask(length)
        context = DecoderContext(
            bias=self.decoder.biases(lambda relative: jnp.where(visible, relative(length), masks.MASKED)),
            cross_bias=masks.mask_to_bias(masks.segment_mask(decoder_segment_ids, encoder_segment_ids)),
            encoded=encoded,
            encoded_task_ids=encoder_task_ids,
            dropout=dropout,
            task_ids=task_ids,
        )
        hidden = ends[0](self.token_embedding(decoder_inputs))
        return ends[1](self.decoder(hidden, context))

    def logits(self, hidden: jax.Array) -> jax.Array:
        """float32 logits [..., V] of the decoder's output [..., D]."""
        if self.config.scale_logits:
            hidden = hidden * self.config.d_model**-0.5
        return self.token_embedding.attend(hidden) if self.config.tie_embeddings else self.output(hidden)

    def __call__(self, batch: Mapping[str, jax.Array], *, key: jax.Array | None = None) -> jax.Array:
        """The logits of a batch.

        Args:
            batch: `encoder_inputs`, `encoder_segment_ids` [B, S] and `decoder_inputs`,
                `decoder_segment_ids` [B, T]; also `..._positions` and `..._task_ids`, which the base
                model does not need.
            key: the dropout key; None for no dropout.

        Returns:
            float32 [B, T, V].
        """
        encoder_key, decoder_key = _split_key(key)
        encoded = self.encode(
            batch["encoder_inputs"],
            batch["encoder_segment_ids"],
            batch.get("encoder_positions"),
            task_ids=batch.get("encoder_task_ids"),
            key=encoder_key,
        )
        hidden = self.decode(
            encoded,
            batch["encoder_segment_ids"],
            batch["decoder_inputs"],
            batch["decoder_segment_ids"],
            batch.get("decoder_positions"),
            task_ids=batch.get("decoder_task_ids"),
            encoder_task_ids=batch.get("encoder_task_ids"),
            key=decoder_key,
        )
        return self.logits(hidden)

    def with_prompt(self, inputs: jax.Array, pad_id: int = 0) -> tuple[jax.Array, jax.Array]:
        """Makes room for the prompt in inputs that hold one example a row.

        Args:
            inputs: [B, S] int32, padded with `pad_id`; a row of nothing but padding stays one.
            pad_id: the padding token.

        Returns:
            The inputs and their segment ids as `encode` takes them, [B, P + S].
        """
        rows, length = inputs.shape[0], self.prompt.length
        real = inputs != pad_id
        prompted = jnp.broadcast_to(jnp.any(real, axis=1, keepdims=True), (rows, length))
        inputs = jnp.pad(inputs, ((0, 0), (length, 0)), constant_values=pad_id)
        return inputs, jnp.concatenate([prompted, real], axis=1).astype(jnp.int32)

    def _ends_dropout(self, key: jax.Array | None, rows: int) -> Dropout:
        """The dropouts at a stack's two ends, [2, B, 1, D]: its embeddings and its output."""
        return Dropout.draw(key, self.config.dropout_rate, rows, (1, self.config.d_model), 2)


def _split_key(key: jax.Array | None) -> tuple[jax.Array | None, jax.Array | None]:
    """Two keys from one, or None twice."""
    return (None, None) if key is None else tuple(jax.random.split(key))


Adapt = Callable[[T5, nnx.Rngs], T5]
"""What fine-tuning does to a model that was just built: adds modules, or replaces some."""


class _Keys(nnx.RngStream):
    """Flax's stream of keys, with a count in Python.

    Flax traces its count for each key, and looks at all that was traced before: most of what a large model takes.
    """

    def __init__(self, key: jax.Array | int, *, tag: str):
        super().__init__(key, tag=tag)
        self.given = 0

    def __call__(self) -> jax.Array:
        self.given += 1
        return jax.random.fold_in(self.key[...], self.given - 1)


def _build(config: T5Config, key: Any, adapt: Adapt | None) -> T5:
    rngs = nnx.Rngs()
    rngs.default = _Keys(key, tag="default")  # type: ignore[attr-defined]  # whatever name it is asked by
    model = T5(config, rngs=rngs)
    return model if adapt is None else adapt(model, rngs)


def split_params(model: T5) -> tuple[nnx.GraphDef[T5], dict[str, Any]]:
    """The model's static structure (hashable), and its parameters by slash-joined path."""
    graphdef, state = nnx.split(model)
    leaves = jax.tree_util.tree_leaves_with_path(nnx.to_pure_dict(state))
    return graphdef, {"/".join(str(entry.key) for entry in path): leaf for path, leaf in leaves}


def merge_params(graphdef: nnx.GraphDef[T5], params: Mapping[str, Any]) -> T5:
    """The model with these parameters; the inverse of `split_params`. Inside jit it costs nothing at run time."""
    nested: dict[str | int, Any] = {}
    for path, leaf in params.items():
        *parents, name = path.split("/")
        node = nested
        for grandparent, parent in itertools.pairwise(("", *parents)):
            is_index = parent.isdigit() and grandparent != "tasks"  # of a list; under `tasks` a bank has names
            node = node.setdefault(int(parent) if is_index else parent, {})
        node[name] = leaf
    return nnx.merge(graphdef, nested)


def abstract_model(
    config: T5Config, adapt: Adapt | None = None
) -> tuple[nnx.GraphDef[T5], dict[str, jax.ShapeDtypeStruct]]:
    """`split_params` of the model that a configuration describes, with shapes for arrays: allocates nothing.

    Args:
        config: the architecture.
        adapt: adds the modules of fine-tuning; None for the plain model.
    """
    return split_params(nnx.eval_shape(lambda: _build(config, 0, adapt)))


def init_params(config: T5Config, key: jax.Array, adapt: Adapt | None = None) -> dict[str, jax.Array]:
    """Fresh parameters by path, all float32. May be compiled, with output shardings for instance."""
    return split_params(_build(config, key, adapt))[1]


def count_params(config: T5Config) -> int:
    """The number of parameters of the model that a configuration describes; allocates nothing."""
    return sum(math.prod(shape.shape) for shape in abstract_model(config)[1].values())
