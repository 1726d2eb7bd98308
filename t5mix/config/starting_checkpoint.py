"""What an experiment need not say because the checkpoint that it starts from says it: the model, and the vocabulary."""

import dataclasses
from pathlib import Path
from typing import Any

from t5mix.checkpoint.reader import read_run_state
from t5mix.data.manifest import VocabularyEntry
from t5mix.interop.formats import is_foreign, read_foreign
from t5mix.interop.hub_models import find_folder
from t5mix.interop.vocabularies import VocabularySettings, find_vocabulary
from t5mix.tracking.run_directory import find_checkpoint, has_checkpoint, kept_vocabulary

SHAPE = (
    *("vocab_size", "d_model", "d_ff", "d_kv", "num_heads", "num_layers", "num_decoder_layers", "activation"),
    *("tie_embeddings", "scale_logits", "relative_buckets", "relative_max_distance", "relative_bias"),
    "layer_norm_epsilon",
)
"""The settings of a model that its checkpoint decides; the others, such as dropout, are the run's."""


def settings_of(checkpoint: Path) -> dict[str, Any]:
    """Returns the settings `model`, and for one of another framework `vocabulary` and `extra_ids`, of a checkpoint.

    Args:
        checkpoint: a run's folder, one of its checkpoints, or a folder of another framework; none if it is not there.

    Raises:
        T5MixError: it is damaged, or of another architecture.
    """
    checkpoint = find_folder(checkpoint)
    if is_foreign(checkpoint):
        foreign = read_foreign(checkpoint)
        model, vocabulary = dataclasses.asdict(foreign.config), find_vocabulary(checkpoint)
    elif (checkpoint / "run_state").is_dir() or has_checkpoint(checkpoint):
        checkpoint = find_checkpoint(checkpoint)
        run_state = read_run_state(checkpoint)
        model, vocabulary = run_state["model"], None
        if "imported_from" in run_state:
            entry = kept_vocabulary(VocabularyEntry(**run_state["vocabulary"]), checkpoint)
            vocabulary = VocabularySettings(entry.path or entry.kind, entry.extra_ids)
    else:
        return {}
    shape = {name: model[name] for name in SHAPE if name in model}
    return {"model": shape, **(vocabulary._asdict() if vocabulary else {})}
