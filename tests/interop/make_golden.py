"""Remakes tests/golden/huggingface: what Hugging Face Transformers computes for each family of T5 checkpoints.

Run it in an environment of its own. It needs nothing of t5mix, and the tests need nothing of this:

    python3.11 -m venv /tmp/env/huggingface
    /tmp/env/huggingface/bin/pip install numpy torch transformers==5.24.0
    /tmp/env/huggingface/bin/python tests/interop/make_golden.py --out tests/golden/huggingface

`OUT/FAMILY/` is a repository in miniature, with config.json and weights as such repositories have them
(`golden_families.py`), and expected.npz, which holds what `AutoModelForSeq2SeqLM` computes from it in float32 without
dropout:

- `inputs` [3, S] and `labels` [3, T], int32, padded with the family's pad id, which is no token of any row;
- `decoder_inputs` [3, T]: the labels, shifted right behind the start token;
- `encoder_states` [3, S, D] and `logits` [3, T, V] with teacher forcing, float32, 0 where there is padding;
- `loss`: the mean cross-entropy of the labels that are not padding, and `gradient/NAME` of it for each parameter, by
  the names that PyTorch gives. What is tied has one gradient, that of `shared.weight`;
- `greedy` [3, 12], `beam` [3, 4, 12] with `beam_scores` [3, 4], and `beam_early` with `beam_early_scores` (the options
  are in `SEARCHES`): the new tokens, without the start token, padded (beams that ended are filled up with EOS by
  Transformers where the pad id is 0; here it is always the pad id);
- `transformers` and `torch`: the versions.

Transformers 4.57.1 computes the same from the same files, with two exceptions. It takes the two equal matrices of
tied_unscaled for two: the embedding's gradient is the sum of theirs, which is what the comparison below uses. And it
gives wrong values for what version 5 saved (`only_version_5` in golden_families.py): there, version 5 is right.

The other mode compares. It shows whether another version of Transformers, or a folder that t5mix exported, gives the
expected values, and fails if one does not:

    python tests/interop/make_golden.py --verify FOLDER... [--expected ROOT]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from golden_families import FAMILIES, HEAD, SHARED, Family
from safetensors.torch import save_file

SHARDS = 3
NEW_TOKENS = 12
BEAMS = {"num_beams": 4, "num_return_sequences": 4}
SEARCHES = {
    "greedy": {"num_beams": 1},
    "beam": {**BEAMS, "length_penalty": 1.0, "early_stopping": False},
    "beam_early": {**BEAMS, "length_penalty": 0.6, "early_stopping": True},
}


def random_weights(family: Family, seed: int) -> dict[str, np.ndarray]:
    """Returns weights by the names that PyTorch gives, the embedding as `shared.weight` alone.

    They are multiples of 1/64, so that the files can be compressed, and large enough for each to matter: scores and
    relative biases of the attention are about 1, norms differ from 1. EOS is likelier than another token.
    """
    draw = np.random.default_rng(seed)
    config = family.config
    model = transformers.AutoModelForSeq2SeqLM.from_config(transformers.AutoConfig.for_model(**config))
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items() if "embed_tokens" not in name}
    weights = {}
    for name in sorted(shapes):
        if name == HEAD and not family.untied:
            continue
        spread, around = shapes[name][-1] ** -0.5, 0.0
        if name.endswith("layer_norm.weight"):
            spread, around = 0.3, 2.0 if family.scaled and name.startswith("decoder.final") else 1.0
        elif name.endswith("relative_attention_bias.weight") or (name == SHARED and (family.untied or family.scaled)):
            spread = 1.0
        elif name.endswith(".q.weight"):
            spread *= 1.5 * config["d_kv"] ** -0.5
        elif name in (SHARED, HEAD) or (not family.untied and name.endswith((".o.weight", ".wo.weight"))):
            spread *= 2.0  # a tied model repeats its last token unless its blocks outweigh the embedding
        weights[name] = around + spread * draw.standard_normal(shapes[name])
    weights[HEAD if family.untied else SHARED][config["eos_token_id"]] *= 2
    return {name: (np.round(64 * weight) / 64).astype(np.float32) for name, weight in weights.items()}


def write_repository(folder: Path, family: Family, weights: Mapping[str, np.ndarray]) -> None:
    """Writes config.json and the weights as the family's repositories have them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(family.config, indent=2) + "\n")
    dtype = getattr(torch, family.dtype)
    tensors = {name: torch.tensor(weight).to(dtype) for name, weight in weights.items()}
    embedding = tensors.pop(SHARED)
    tensors |= {name: torch.ones(shape, dtype=dtype) for name, shape in family.unused.items()}
    if family.files == "bin":  # aliases share their storage there
        torch.save(tensors | dict.fromkeys(family.embedding_names, embedding), folder / "pytorch_model.bin")
        return
    tensors |= {name: embedding.clone() for name in family.embedding_names}
    if family.files == "safetensors":
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        return
    names = sorted(tensors)
    files = {f"model-{i + 1:05}-of-{SHARDS:05}.safetensors": names[i::SHARDS] for i in range(SHARDS)}
    for file, stored in files.items():
        save_file({name: tensors[name] for name in stored}, folder / file, {"format": "pt"})
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for tensor in tensors.values())},
        "weight_map": {name: file for name in names for file, stored in files.items() if name in stored},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def random_rows(family: Family, lengths: tuple[int, ...], draw: np.random.Generator) -> np.ndarray:
    """Returns rows of random ids that end with EOS, padded; [rows, longest]."""
    config = family.config
    pad, eos, start = (config[name] for name in ("pad_token_id", "eos_token_id", "decoder_start_token_id"))
    rows = np.full((len(lengths), max(lengths)), pad, np.int32)
    tokens = np.setdiff1d(np.arange(config["vocab_size"]), (pad, eos))
    for row, length in zip(rows, lengths, strict=True):
        row[: length - 1] = draw.choice(tokens, length - 1)
        row[1] = tokens[-1] if start == pad else start  # a real 0 where padding is another id; else the last id
        row[length - 1] = eos
    return rows


def load(folder: Path) -> Any:
    """Returns the model of a folder, in float32 and without dropout."""
    loaded = transformers.AutoModelForSeq2SeqLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )
    return loaded.eval()


def search(model: Any, inputs: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Returns what one of the `SEARCHES` generates: tokens by its name, and with beams their scores."""
    config, rows = model.config, len(inputs)
    pad = config.pad_token_id
    found = model.generate(
        input_ids=torch.tensor(inputs, dtype=torch.long),
        attention_mask=torch.tensor(inputs != pad, dtype=torch.long),
        max_new_tokens=NEW_TOKENS,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
        # The cache is made with the encoder's depth: generate fails with a deeper decoder.
        use_cache=config.num_decoder_layers <= config.num_layers,
        **SEARCHES[name],
    )
    new = found.sequences[:, 1:].numpy()
    tokens = np.full((len(new), NEW_TOKENS), pad, np.int32)
    tokens[:, : new.shape[1]] = new
    ended = np.cumsum(tokens == config.eos_token_id, axis=1) - (tokens == config.eos_token_id)
    tokens[ended > 0] = pad
    if len(new) == rows:
        return {name: tokens}
    scores = found.sequences_scores.numpy().astype(np.float32)
    return {name: tokens.reshape(rows, -1, NEW_TOKENS), f"{name}_scores": scores.reshape(rows, -1)}


def compute(model: Any, inputs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the contents of expected.npz."""
    pad = model.config.pad_token_id
    mask, labelled = inputs != pad, labels != pad
    decoder_inputs = np.roll(labels, 1, axis=1)
    decoder_inputs[:, 0] = model.config.decoder_start_token_id
    # PyTorch's own sign for a label that does not count.
    targets = torch.tensor(np.where(labelled, labels, -100), dtype=torch.long)
    encoded = model.get_encoder()(input_ids=torch.tensor(inputs), attention_mask=torch.tensor(mask, dtype=torch.long))
    model.zero_grad()
    outputs = model(
        encoder_outputs=encoded,
        attention_mask=torch.tensor(mask, dtype=torch.long),
        decoder_input_ids=torch.tensor(decoder_inputs, dtype=torch.long),
        labels=targets,
    )
    outputs.loss.backward()
    computed = {
        "inputs": inputs,
        "labels": labels,
        "decoder_inputs": decoder_inputs,
        "encoder_states": encoded.last_hidden_state.detach().numpy() * mask[..., None],
        "logits": outputs.logits.detach().numpy() * labelled[..., None],
        "loss": outputs.loss.detach().numpy(),
    }
    for name, parameter in model.named_parameters():
        computed[f"gradient/{name}"] = parameter.grad.numpy().copy()
    for name in SEARCHES:
        computed |= search(model, inputs, name)
    return computed


def check_telling(model: Any, expected: Mapping[str, np.ndarray]) -> None:
    """Raises ValueError, which names the reason, where the values of a seed would show little.

    The model's weights are changed.
    """
    for name, value in expected.items():
        if name.startswith("gradient/") and np.abs(value).max() < 1e-3:
            raise ValueError(f"{name} is below 0.001: the parameter matters too little")
    for name in SEARCHES:
        ends = (expected[name] == model.config.eos_token_id) * np.arange(1, NEW_TOKENS + 1)
        lengths = ends.max(-1).ravel()  # 0 where a row did not end
        if len(np.unique(lengths)) < 2 or not 3 <= lengths.max() < NEW_TOKENS:
            raise ValueError(f"the rows of {name} end at {lengths}")
    if max(len(np.unique(row)) for row in expected["greedy"]) < 5:
        raise ValueError("the greedy rows repeat themselves")
    if np.array_equal(expected["beam"], expected["beam_early"]):
        raise ValueError("early stopping and the length penalty change nothing")
    if np.array_equal(expected["beam"][:, 0], expected["greedy"]):
        raise ValueError("the best beams are the greedy rows")
    # Rounding must not decide which tokens are taken: changes a hundred times as large do not.
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1 + 1e-4 * torch.randn_like(parameter)
    for name in SEARCHES:
        if not np.array_equal(search(model, expected["inputs"], name)[name], expected[name]):
            raise ValueError(f"{name} depends on rounding")


def make(folder: Path, family: Family, seed: int) -> None:
    """Writes a family's folder.

    Raises:
        ValueError: the values would show little, so that another seed is needed, or this version of Transformers
            takes the files for something else.
    """
    if family.only_version_5 and transformers.__version__.startswith("4."):
        raise ValueError(
            f"{folder.name} was saved by Transformers 5, and is not read right by {transformers.__version__}"
        )
    write_repository(folder, family, random_weights(family, seed))
    draw = np.random.default_rng([seed, 1])
    model = load(folder)
    inputs = random_rows(family, family.input_lengths, draw)
    expected = compute(model, inputs, random_rows(family, family.label_lengths, draw))
    check_telling(model, expected)
    versions = {package.__name__: np.array(package.__version__) for package in (transformers, torch)}
    np.savez_compressed(folder / "expected.npz", **expected, **versions)


def differences(folder: Path, expected: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Returns the largest difference of each array, relative to its largest value where that is above 1.

    That is infinite for one that is missing or has another shape. Any other token counts as 1.
    """
    computed = compute(load(folder), expected["inputs"], expected["labels"])
    gradient, head = f"gradient/{SHARED}", f"gradient/{HEAD}"
    if head in computed and head not in expected:  # tied, but taken for two equal matrices
        computed[gradient] = computed[gradient] + computed[head]
    found = {}
    for name, value in expected.items():
        if name in ("transformers", "torch"):
            continue
        other = computed.get(name)
        if other is None or other.shape != value.shape:
            found[name] = np.inf
        elif value.dtype == np.int32:
            found[name] = float((other != value).any())
        else:  # NaN stays NaN
            found[name] = float(np.abs(other - value).max() / max(1.0, np.abs(value).max()))
    return found


def verify(folders: list[Path], root: Path | None, tolerance: float) -> bool:
    """Prints how far each folder's model is from what is expected, and returns whether all are within the tolerance.

    Of the gradients it prints the worst.
    """
    good = True
    for folder in folders:
        with np.load((root / folder.name if root else folder) / "expected.npz") as file:
            found = differences(folder, dict(file))
        gradients = {name: found.pop(name) for name in list(found) if name.startswith("gradient/")}
        worst = max(gradients, key=gradients.__getitem__)
        found[worst] = gradients[worst]
        equal = all(value <= tolerance for value in found.values())  # not so for NaN
        good = good and equal
        shown = ", ".join(f"{name} {value:.1e}" for name, value in found.items() if value != 0.0)
        sys.stdout.write(f"{folder.name}: {'equal' if equal else 'DIFFERS'} ({shown or 'exactly'})\n")
    return good


def main() -> int:
    """Writes the golden files, or compares folders with them; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--out", type=Path, help="the folder to write to")
    mode.add_argument(
        "--verify", type=Path, nargs="+", metavar="FOLDER", help="models to compare with what is expected"
    )
    parser.add_argument("--family", choices=FAMILIES, nargs="+", default=list(FAMILIES), help="which to write (all)")
    parser.add_argument(
        "--expected", type=Path, metavar="ROOT", help="compare with ROOT/NAME/expected.npz of a folder NAME"
    )
    parser.add_argument("--tolerance", type=float, default=1e-5, help="of the differences (%(default)s)")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)  # more threads add in another order
    if arguments.verify:
        return 0 if verify(arguments.verify, arguments.expected, arguments.tolerance) else 1
    for name in arguments.family:
        make(arguments.out / name, FAMILIES[name], FAMILIES[name].seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
