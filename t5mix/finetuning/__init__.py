"""What of the model trains, from when on, and how fast: policies, registered under a short kind."""

from t5mix.finetuning.adapters import Adapter, Houlsby, Pfeiffer
from t5mix.finetuning.base import POLICIES, BoundPolicy, FineTuningPolicy
from t5mix.finetuning.discriminative import Discriminative
from t5mix.finetuning.feature_based import FeatureBased
from t5mix.finetuning.full import Full
from t5mix.finetuning.ia3 import IA3
from t5mix.finetuning.layer_norms import LayerNorms
from t5mix.finetuning.lora import LoRA
from t5mix.finetuning.per_task import PerTask
from t5mix.finetuning.prefix import PrefixTuning
from t5mix.finetuning.prompt import PromptTuning
from t5mix.finetuning.regex import RegexPolicy
from t5mix.finetuning.unfreezing import GradualUnfreezing

__all__ = [
    "IA3",
    "POLICIES",
    "Adapter",
    "BoundPolicy",
    "Discriminative",
    "FeatureBased",
    "FineTuningPolicy",
    "Full",
    "GradualUnfreezing",
    "Houlsby",
    "LayerNorms",
    "LoRA",
    "PerTask",
    "Pfeiffer",
    "PrefixTuning",
    "PromptTuning",
    "RegexPolicy",
]
