"""What of the model trains, from when on, and how fast: policies, registered under a short kind."""

from t5mix.finetuning.base import POLICIES, FineTuningPolicy
from t5mix.finetuning.full import Full

__all__ = ["POLICIES", "FineTuningPolicy", "Full"]
