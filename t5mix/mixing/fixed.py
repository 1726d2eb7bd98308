"""Proportions that are given: written down, or taken from a file that another recipe wrote."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from t5mix.configurable import configurable
from t5mix.errors import T5MixError
from t5mix.mixing.base import STRATEGIES, StaticStrategy


@STRATEGIES.register("fixed")
@configurable
class Fixed(StaticStrategy):
    """Weights that are given, whatever the sizes: r_m = w_m.

    Attributes:
        task_weights: the weight of each task of the mixture, or the path of a JSON file that holds them under
            `weights`. They need not sum to one; a task of weight 0 is never drawn.
    """

    task_weights: Mapping[str, float] | str

    def __post_init__(self) -> None:
        weights = self.given()
        if not weights:
            raise ValueError("mixing.task_weights is empty: give each task of the mixture a weight")
        wrong = {name: w for name, w in weights.items() if not math.isfinite(w) or w < 0}
        if wrong:
            raise ValueError(f"mixing.task_weights has {wrong}: a weight must be 0 or more, and finite")
        if not any(weights.values()):
            raise ValueError(f"mixing.task_weights is 0 for all of {', '.join(weights)}: one must be above 0")

    @property
    def named_tasks(self) -> tuple[str, ...]:
        """The tasks that have a weight."""
        return tuple(self.given())

    def given(self) -> dict[str, float]:
        """Returns the weights as they were given.

        Raises:
            ValueError: the file is missing, or holds no weights.
        """
        if not isinstance(self.task_weights, str):
            return dict(self.task_weights)
        try:
            weights = json.loads(Path(self.task_weights).expanduser().read_text(encoding="utf-8"))["weights"]
            return {str(name): float(weight) for name, weight in weights.items()}
        except FileNotFoundError as error:
            raise ValueError(f"mixing.task_weights: there is no file {self.task_weights}") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"mixing.task_weights: {self.task_weights} holds no weights ({type(error).__name__}: {error}); it "
                'should be JSON like {"weights": {"cola": 0.3, ...}}'
            ) from error

    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns the weights.

        Raises:
            T5MixError: they name other tasks than the mixture holds.
        """
        given = self.given()
        check_names("mixing.task_weights", given, sizes)
        return {name: given[name] for name in sizes}


def check_names(key: str, named: Mapping[str, object], tasks: Mapping[str, object]) -> None:
    """Refuses settings whose tasks are not exactly those of the mixture.

    Raises:
        T5MixError: tasks are named that the mixture lacks, or the other way round.
    """
    missing, unknown = [n for n in tasks if n not in named], [n for n in named if n not in tasks]
    if missing or unknown:
        parts = [f"it names {', '.join(unknown)}, not in the mixture"] if unknown else []
        parts += [f"it says nothing of {', '.join(missing)}"] if missing else []
        raise T5MixError(f"{key} does not fit the mixture: {'; '.join(parts)}. The tasks are {', '.join(tasks)}.")
