"""How long a run is, what a batch is, and when things happen."""

import math
from typing import Literal

from t5mix.configurable import configurable
from t5mix.data.packing import BatchShape

LossNormalizer = Literal["loss_tokens", "positions", "examples", "sum"]
"""What the summed loss of a batch is divided by: its loss tokens, its target positions (padding included), its
examples, or nothing."""

IN_FLIGHT = 2
"""Steps dispatched and not yet waited for: enough to keep the devices busy, few enough to bound memory."""

LEAST_LAG = IN_FLIGHT + 1


@configurable
class TrainingConfig:
    """The loop's settings. Steps count updates from the starting checkpoint; periods are in steps.

    Attributes:
        steps: number of updates.
        batch_size: sequences in a global batch, B; packed, each holds several examples.
        gradient_accumulation_steps: microbatches that a batch is split into, to save memory; gradients add up in
            float32.
        pack: whether a row may hold several examples.
        packing_buffer: examples that may wait for a later batch to pack the rows better.
        prefetch: batches made ahead of time.
        feedback_lag: steps between a loss and the first batch whose mixing may depend on it, for adaptive strategies.
            At least 3; prefetching goes no further ahead than the lag less 3.
        loss_normalizer: what the summed loss is divided by.
        z_loss: weight of log(Z)^2.
        label_smoothing: share of the target probability spread over the vocabulary.
        max_grad_norm: largest global norm of the gradient; None for no clipping.
        log_every: period of logged metrics.
        checkpoint_every: period of checkpoints. One is also written at the end and when the run is stopped.
        evaluate_every: period of teacher-forced evaluation on the validation splits; None for the end only. A
            checkpoint comes with each evaluation that is a task's best so far.
        evaluation_examples: the most examples of each task in one evaluation; None for whole splits.
        max_checkpoints_to_keep: how many of the latest checkpoints are kept, besides the best one for each task.
        frozen_dtype: the type that matrices which never train are kept in; bfloat16 halves their memory.
        warn_epochs: a task seen more often than this is warned of; None for never.
        warn_examples: a task of which the run draws fewer examples than this is warned of; None for never.
    """

    steps: int = 1000
    batch_size: int = 32
    gradient_accumulation_steps: int = 1
    pack: bool = True
    packing_buffer: int = 128
    prefetch: int = 2
    feedback_lag: int = 8
    loss_normalizer: LossNormalizer = "loss_tokens"
    z_loss: float = 1e-4
    label_smoothing: float = 0.0
    max_grad_norm: float | None = None
    log_every: int = 20
    checkpoint_every: int = 200
    evaluate_every: int | None = None
    evaluation_examples: int | None = None
    max_checkpoints_to_keep: int = 2
    frozen_dtype: Literal["float32", "bfloat16"] = "float32"
    warn_epochs: float | None = 50.0
    warn_examples: int | None = 100

    def __post_init__(self) -> None:
        counts = (
            "steps",
            "batch_size",
            "gradient_accumulation_steps",
            "prefetch",
            "log_every",
            "checkpoint_every",
            "max_checkpoints_to_keep",
        )
        for name in (*counts, "evaluate_every", "evaluation_examples"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"training.{name} is {value}: it must be 1 or more")
        if self.batch_size % self.gradient_accumulation_steps:
            raise ValueError(
                f"training.batch_size is {self.batch_size}, which training.gradient_accumulation_steps = "
                f"{self.gradient_accumulation_steps} does not divide"
            )
        if self.feedback_lag < LEAST_LAG:
            raise ValueError(
                f"training.feedback_lag is {self.feedback_lag}: it must be {LEAST_LAG} or more, because a step's "
                f"losses are known {LEAST_LAG} steps later at the earliest"
            )
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"training.label_smoothing is {self.label_smoothing}: it must be in [0, 1)")
        if not 0 <= self.z_loss < math.inf:
            raise ValueError(f"training.z_loss is {self.z_loss}: it must be 0 or more, and finite")
        for name in ("packing_buffer", "warn_epochs", "warn_examples"):
            if (value := getattr(self, name)) is not None and value < 0:
                raise ValueError(f"training.{name} is {value}: it must be 0 or more")
        if self.max_grad_norm is not None and self.max_grad_norm <= 0:
            raise ValueError(
                f"training.max_grad_norm is {self.max_grad_norm}: it must be positive, or null for no clipping"
            )

    def batch_shape(self, inputs: int, targets: int, prompt: int = 0) -> BatchShape:
        """Returns the shape of a global batch whose rows hold that many input and target tokens.

        Args:
            inputs: the longest inputs, in tokens.
            targets: the longest targets, in tokens.
            prompt: positions before each example's inputs; the rows are longer by one prompt.
        """
        return BatchShape(
            rows=self.batch_size,
            inputs=inputs + prompt,
            targets=targets,
            pack=self.pack,
            packing_buffer=self.packing_buffer,
            prompt=prompt,
        )
