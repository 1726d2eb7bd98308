"""How often each task is drawn: strategies, registered under a short kind.

A strategy sees the sizes of the tasks, and while training runs their losses; it never sees an example.
Numpy only.
"""

from t5mix.mixing.base import STRATEGIES, MixingStrategy, StaticStrategy
from t5mix.mixing.static import Equal, Proportional, Temperature

__all__ = ["STRATEGIES", "Equal", "MixingStrategy", "Proportional", "StaticStrategy", "Temperature"]
