from typing import Any

import pytest

from t5mix.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(
            ({name: 0}, f"training.{name} is 0: it must be 1 or more")
            for name in ("steps", "batch_size", "gradient_accumulation_steps")
        ),
        *(
            ({name: -1}, f"training.{name} is -1")
            for name in ("prefetch", "log_every", "checkpoint_every", "max_checkpoints_to_keep")
        ),
        ({"evaluate_every": 0}, "training.evaluate_every is 0"),
        ({"evaluation_examples": 0}, "training.evaluation_examples is 0"),
        (
            {"batch_size": 6, "gradient_accumulation_steps": 4},
            "training.batch_size is 6, which training.gradient_accumulation_steps = 4 does not divide",
        ),
        ({"label_smoothing": 1.0}, "training.label_smoothing is 1.0"),
        ({"label_smoothing": -0.1}, "training.label_smoothing is -0.1"),
        ({"z_loss": -1.0}, "training.z_loss is -1.0"),
        ({"z_loss": float("inf")}, "training.z_loss is inf"),
        ({"packing_buffer": -1}, "training.packing_buffer is -1: it must be 0 or more"),
        ({"warn_epochs": -0.5}, "training.warn_epochs is -0.5"),
        ({"warn_examples": -1}, "training.warn_examples is -1"),
        ({"max_grad_norm": 0.0}, "training.max_grad_norm is 0.0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        TrainingConfig(**settings)


def test_periods_may_be_left_open():
    config = TrainingConfig(evaluate_every=None, evaluation_examples=None, max_grad_norm=None)
    assert config.evaluate_every is None
