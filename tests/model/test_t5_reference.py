"""The forward pass and the relative buckets against T5 written a second time, from its definition, in numpy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.model import T5Config, abstract_model, init_params, masks, merge_params

SIZES = {
    "vocab_size": 40,
    "d_model": 12,
    "d_ff": 20,
    "d_kv": 5,
    "num_heads": 3,
    "num_layers": 2,
    "num_decoder_layers": 1,
    "relative_buckets": 8,
    "relative_max_distance": 6,
}
VARIANTS = {
    "1.0": T5Config(**SIZES, activation="relu", tie_embeddings=True, scale_logits=True),
    "1.1": T5Config(**SIZES),
}


def bucket_by_definition(distance: int, bidirectional: bool, buckets: int, max_distance: int) -> int:
    """Half of a direction's buckets are exact; the rest divide log(max_distance / exact) evenly."""
    if bidirectional:
        half = buckets // 2
        offset = half if distance > 0 else 0
        return offset + bucket_by_definition(-abs(distance), False, half, max_distance)
    back = max(-distance, 0)
    exact = buckets // 2
    if back < exact:
        return back
    share = math.log(back / exact) / math.log(max_distance / exact)
    return min(exact + math.floor(share * (buckets - exact) + 1e-9), buckets - 1)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "max_distance"), [(32, 128), (8, 20), (16, 9), (64, 1000)])
def test_buckets_follow_the_definition(bidirectional: bool, buckets: int, max_distance: int) -> None:
    distances = np.arange(-2 * max_distance, 2 * max_distance + 1)
    got = masks.relative_bucket(
        jnp.asarray(distances), bidirectional=bidirectional, num_buckets=buckets, max_distance=max_distance
    )
    expected = [bucket_by_definition(int(d), bidirectional, buckets, max_distance) for d in distances]
    np.testing.assert_array_equal(got, expected)


class NumpyT5:
    """T5 from its definition, in float64, for a single unpadded example."""

    def __init__(self, config: T5Config, params: dict[str, np.ndarray]):
        self.config, self.params = config, params

    def norm(self, path: str, x: np.ndarray) -> np.ndarray:
        scale = self.params[f"{path}/scale"]
        return np.stack([row / np.sqrt((row @ row) / len(row) + 1e-6) * scale for row in x])

    def attention(self, path: str, x: np.ndarray, source: np.ndarray, bias, causal: bool) -> np.ndarray:
        width, heads = self.config.d_kv, []
        kernels = {n: self.params[f"{path}/{n}/kernel"] for n in ("query", "key", "value", "output")}
        for h in range(self.config.num_heads):
            part = slice(h * width, (h + 1) * width)
            q, k, v = (
                x @ kernels["query"][:, part],
                source @ kernels["key"][:, part],
                source @ kernels["value"][:, part],
            )
            out = np.zeros((len(x), width))
            for i in range(len(x)):
                seen = range(i + 1) if causal else range(len(source))
                score = np.array([q[i] @ k[j] + (bias[i, j, h] if bias is not None else 0.0) for j in seen])
                weight = np.exp(score - score.max())
                out[i] = (weight / weight.sum()) @ v[list(seen)]
            heads.append(out)
        return np.concatenate(heads, axis=1) @ kernels["output"]

    def feed_forward(self, path: str, x: np.ndarray) -> np.ndarray:
        def dense(name: str) -> np.ndarray:
            return self.params[f"{path}/{name}/kernel"]

        if self.config.activation == "relu":
            inner = np.maximum(x @ dense("wi"), 0)
        else:
            gate = x @ dense("wi_0")
            gelu = 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)))
            inner = gelu * (x @ dense("wi_1"))
        return inner @ dense("wo")

    def bias(self, stack: str, length: int) -> np.ndarray:
        table = self.params[f"{stack}/relative_bias/embedding"]
        buckets, far = self.config.relative_buckets, self.config.relative_max_distance
        bidirectional = stack == "encoder"
        rows = [
            [table[bucket_by_definition(k - q, bidirectional, buckets, far)] for k in range(length)]
            for q in range(length)
        ]
        return np.array(rows)

    def __call__(self, inputs: np.ndarray, decoder_inputs: np.ndarray) -> np.ndarray:
        table = self.params["token_embedding/embedding"]
        h, bias = table[inputs], self.bias("encoder", len(inputs))
        for i in range(self.config.num_layers):
            p = f"encoder/blocks/{i}"
            x = self.norm(f"{p}/attention_norm", h)
            h = h + self.attention(f"{p}/attention", x, x, bias, causal=False)
            h = h + self.feed_forward(f"{p}/feed_forward", self.norm(f"{p}/feed_forward_norm", h))
        encoded = self.norm("encoder/final_norm", h)
        h, bias = table[decoder_inputs], self.bias("decoder", len(decoder_inputs))
        for i in range(self.config.num_decoder_layers):
            p = f"decoder/blocks/{i}"
            x = self.norm(f"{p}/self_attention_norm", h)
            h = h + self.attention(f"{p}/self_attention", x, x, bias, causal=True)
            x = self.norm(f"{p}/cross_attention_norm", h)
            h = h + self.attention(f"{p}/cross_attention", x, encoded, None, causal=False)
            h = h + self.feed_forward(f"{p}/feed_forward", self.norm(f"{p}/feed_forward_norm", h))
        h = self.norm("decoder/final_norm", h)
        if self.config.scale_logits:
            h = h / np.sqrt(self.config.d_model)
        return h @ (table.T if self.config.tie_embeddings else self.params["output/kernel"])


@pytest.mark.parametrize("name", VARIANTS)
def test_the_forward_pass_is_t5(name: str) -> None:
    config = VARIANTS[name]
    rng = np.random.default_rng(0)
    params = {
        # Norm scales start at one: moved, so that a forgotten one shows.
        path: np.asarray(leaf) * rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        for path, leaf in init_params(config, jax.random.key(0)).items()
    }
    inputs, decoder_inputs = rng.integers(2, 40, (2, 11)), rng.integers(2, 40, (2, 9))
    batch = {}
    for side, tokens in (("encoder", inputs), ("decoder", decoder_inputs)):
        batch[f"{side}_inputs"] = jnp.asarray(tokens, jnp.int32)
        batch[f"{side}_segment_ids"] = jnp.ones(tokens.shape, jnp.int32)
    graphdef, _ = abstract_model(config)
    logits = jax.jit(lambda p: merge_params(graphdef, p)(batch))(params)
    reference = NumpyT5(config, {path: leaf.astype(np.float64) for path, leaf in params.items()})
    for row in range(2):
        np.testing.assert_allclose(logits[row], reference(inputs[row], decoder_inputs[row]), atol=1e-4)
