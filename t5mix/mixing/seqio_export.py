"""A static strategy as a seqio mixture, for who trains with T5X or seqio itself."""

from collections.abc import Mapping

from t5mix.errors import T5MixError
from t5mix.mixing import STRATEGIES, MixingStrategy, StaticStrategy
from t5mix.mixing.base import check_sizes
from t5mix.tensorflow_setup import seqio


def to_seqio(name: str, strategy: MixingStrategy, sizes: Mapping[str, int]) -> seqio.Mixture:
    """Registers a seqio mixture that draws its tasks at a static strategy's rates.

    The rates are numbers: no cache that appears later changes them, as it changes those of
    `seqio.mixing_rate_num_examples`.

    Args:
        name: the mixture's.
        strategy: gives the rates.
        sizes: the tasks, registered with seqio, and their numbers of training examples; a run's `data_manifest.json`
        has
            them.

    Raises:
        T5MixError: the strategy is not static; a task has no examples or is not registered; the name is taken.
    """
    if not isinstance(strategy, StaticStrategy):
        static = sorted(kind for kind, cls in STRATEGIES.items() if issubclass(cls, StaticStrategy))
        raise T5MixError(
            f"{type(strategy).__name__} cannot be handed to seqio: its proportions do not follow from the sizes alone, "
            f"and a seqio mixture has one rate a task. Take one of {', '.join(static)}."
        )
    check_sizes(sizes)
    missing = [task for task in sizes if task not in seqio.TaskRegistry.names()]
    if missing:
        raise T5MixError(f"seqio knows no task {', '.join(missing)}. Import the module that registers it first.")
    if name in seqio.MixtureRegistry.names() or name in seqio.TaskRegistry.names():
        raise T5MixError(f"seqio has a task or mixture {name!r} already. Choose another name.")
    return seqio.MixtureRegistry.add(name, list(strategy.rates(sizes).items()))
