"""How often each task is drawn: strategies, registered under a short kind.

A strategy sees the sizes of the tasks, and while training runs their losses; it never sees an example.
Numpy only.
"""

from t5mix.mixing.base import STRATEGIES, ConstantStrategy, MixingStrategy, StaticStrategy
from t5mix.mixing.capped import Capped
from t5mix.mixing.doremi import DoReMi
from t5mix.mixing.equal import Equal
from t5mix.mixing.fixed import Fixed
from t5mix.mixing.loss_gap import LossGap
from t5mix.mixing.odm import ODM, PriorODM
from t5mix.mixing.proportional import Proportional
from t5mix.mixing.scheduled import AnnealedTemperature, PhasedMixing, TwoPhase
from t5mix.mixing.temperature import Temperature
from t5mix.mixing.unimax import UniMax

__all__ = [
    "ODM",
    "STRATEGIES",
    "AnnealedTemperature",
    "Capped",
    "ConstantStrategy",
    "DoReMi",
    "Equal",
    "Fixed",
    "LossGap",
    "MixingStrategy",
    "PhasedMixing",
    "PriorODM",
    "Proportional",
    "StaticStrategy",
    "Temperature",
    "TwoPhase",
    "UniMax",
]
