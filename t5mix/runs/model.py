"""A trained model: finding its checkpoint, loading it, asking it."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from t5mix.data.lock import VocabularyEntry
from t5mix.data.text import TextCodec
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.evaluation.generate import generate
from t5mix.experiment import read_policy
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model
from t5mix.training.checkpoint import read_host, read_params
from t5mix.training.run_directory import find_checkpoint
from t5mix.training.state import Params


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A checkpoint ready to use.

    Attributes:
        path: the checkpoint.
        graphdef: the model's structure.
        params: its parameters by path.
        config: its shape.
        codec: text to ids and back.
        vocabulary: what the codec was made of.
    """

    path: Path
    graphdef: nnx.GraphDef[Any]
    params: Params
    config: T5Config
    codec: TextCodec
    vocabulary: VocabularyEntry


def load_model(path: Path) -> TrainedModel:
    """Loads a run's latest checkpoint, or the one that `path` is.

    Raises:
        T5MixError: there is no checkpoint, it is damaged, or its vocabulary's file is gone or changed.
    """
    path = find_checkpoint(path)
    host = read_host(path)
    config, vocabulary = T5Config(**host["model"]), VocabularyEntry(**host["vocabulary"])
    graphdef, shapes = abstract_model(config, read_policy(host["finetuning"]).adapt)
    return TrainedModel(path, graphdef, read_params(path, shapes), config, TextCodec(vocabulary), vocabulary)


def checkpoint_of(run: Path, which: str) -> Path:
    """Returns one of a run's checkpoints.

    Args:
        run: the run's folder.
        which: "latest", a step, or the name of a task for the best one on its validation split.

    Raises:
        T5MixError: there is no such checkpoint.
    """
    latest = find_checkpoint(run)
    if which == "latest" or latest == run:
        return latest
    step = which
    if not which.isdigit():
        best = read_host(latest)["best"]
        if which not in best:
            raise UnknownNameError("checkpoint", which, ["latest", *best], "A step is a number; a task means its best.")
        step = str(best[which]["step"])
    path = latest.parent / step
    if not path.is_dir():
        steps = sorted((p.name for p in latest.parent.iterdir() if p.name.isdigit()), key=int)
        raise T5MixError(f"{run} has no checkpoint at step {step}. It has {', '.join(steps)}.")
    return path


def predict_texts(model: TrainedModel, texts: Sequence[str], *, batch_size: int, max_length: int) -> list[str]:
    """Answers texts, in their order.

    Args:
        model: the model.
        texts: inputs, with the prefix their task was trained with.
        batch_size: sequences decoded at once.
        max_length: the most tokens of an answer.
    """
    inputs = [np.asarray(model.codec.encode(text), np.int32) for text in texts]
    outputs = generate(model.graphdef, model.params, inputs, batch_size=batch_size, max_length=max_length)
    return [model.codec.decode(output.tolist()) for output in outputs]


def predict_lines(
    model: TrainedModel, lines: Iterable[str], *, batch_size: int, max_length: int
) -> Iterator[tuple[str, str]]:
    """Yields (text, answer) for each line, holding no more than a few batches of them in memory."""
    block: list[str] = []
    for line in lines:
        block.append(line.rstrip("\n"))
        if len(block) == 16 * batch_size:
            yield from zip(
                block, predict_texts(model, block, batch_size=batch_size, max_length=max_length), strict=True
            )
            block = []
    if block:
        yield from zip(block, predict_texts(model, block, batch_size=batch_size, max_length=max_length), strict=True)
