"""What of the model trains, from when on, and how fast: policies, registered under a short kind."""

from t5mix.finetuning.adapters import Adapter, Houlsby, Pfeiffer
from t5mix.finetuning.base import POLICIES, FineTuningPolicy
from t5mix.finetuning.full import Full
from t5mix.finetuning.ia3 import IA3
from t5mix.finetuning.lora import LoRA
from t5mix.finetuning.patterns import Norms, Pattern

__all__ = [
    "IA3",
    "POLICIES",
    "Adapter",
    "FineTuningPolicy",
    "Full",
    "Houlsby",
    "LoRA",
    "Norms",
    "Pattern",
    "Pfeiffer",
]
