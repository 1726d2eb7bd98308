"""A declared task on letters, which trains in seconds: the configuration of a user's own files."""

from collections.abc import Sequence

_CONFIG = """
defaults:
  - experiment
{choices}
  - _self_
run_dir: run
store_dir: stores
mixture: [letters]
vocabulary: bytes
lengths: {{inputs: 24, targets: 8}}
model: {{d_model: 16, d_ff: 32, d_kv: 8, num_heads: 2, num_layers: 1, num_decoder_layers: 1}}
training: {{{training}}}
tasks:
  letters:
    files: {{{files}}}
    inputs: "letters: {{text}}"
    targets: label
    labels: {{0: even, 1: odd}}
    metrics: [{metrics}]
"""


def letters_config(
    training: str,
    *,
    splits: Sequence[str] = ("train", "validation"),
    metrics: Sequence[str] = ("accuracy",),
    **options: str,
) -> str:
    """The text of a YAML file.

    Args:
        training: the training settings, as in a YAML mapping.
        splits: of the task, each in a file `SPLIT.tsv` with the fields text and label.
        metrics: of the task.
        options: of groups, besides `mixing: equal`.
    """
    choices = "\n".join(f"  - override {group}: {option}" for group, option in {"mixing": "equal", **options}.items())
    files = ", ".join(f"{split}: {split}.tsv" for split in splits)
    return _CONFIG.format(choices=choices, training=training, files=files, metrics=", ".join(metrics))
