import functools
import math
from collections.abc import Iterator
from typing import Any

import pytest

from t5mix.errors import T5MixError
from t5mix.mixing import Capped, Equal, Fixed, PriorODM, Proportional, Temperature

SIZES = {"interop_small": 37, "interop_middle": 1_200, "interop_large": 50_003}


@pytest.fixture
def tasks(seqio: Any) -> Iterator[list[Any]]:
    """Three registered tasks whose sources say how large they are."""
    for name, size in SIZES.items():
        seqio.TaskRegistry.add(
            name,
            source=seqio.FunctionDataSource(
                dataset_fn=lambda split, shuffle_files, seed=None: None,
                splits=("train",),
                num_input_examples={"train": size},
            ),
            preprocessors=[],
            output_features={"targets": seqio.Feature(vocabulary=seqio.ByteVocabulary())},
        )
    yield [seqio.TaskRegistry.get(name) for name in SIZES]
    for name in SIZES:
        seqio.TaskRegistry.remove(name)
    for name in ("interop_ours", "interop_theirs"):
        if name in seqio.MixtureRegistry.names():
            seqio.MixtureRegistry.remove(name)


def proportions(mixture: Any, tasks: list[Any]) -> dict[str, float]:
    rates = {task.name: mixture.get_rate(task) for task in tasks}
    return {name: rate / math.fsum(rates.values()) for name, rate in rates.items()}


@pytest.mark.parametrize(
    ("strategy", "theirs"),
    [
        (Equal(), {"maximum": 1}),
        (Proportional(), {}),
        *((Proportional(max_examples=k), {"maximum": k}) for k in (2**7, 2**11, 2**20)),
        *((Temperature(temperature=t), {"temperature": t}) for t in (1.0, 2.0, 8.0)),
        *(
            (Temperature(temperature=t, max_examples=k), {"temperature": t, "maximum": k})
            for t in (2.0, 4.0)
            for k in (40, 2**11)
        ),
    ],
)
def test_rates_are_seqios_own(strategy: Any, theirs: dict[str, float], seqio: Any, tasks: list[Any]):
    from t5mix.mixing.seqio_export import to_seqio

    ours = to_seqio("interop_ours", strategy, SIZES)
    rate = functools.partial(seqio.mixing_rate_num_examples, **theirs)
    other = seqio.MixtureRegistry.add("interop_theirs", list(SIZES), default_rate=rate)
    assert seqio.get_mixture_or_task("interop_ours") is ours
    assert [task.name for task in ours.tasks] == sorted(SIZES)
    for task in tasks:
        assert ours.get_rate(task) == pytest.approx(other.get_rate(task), rel=1e-12)
    assert proportions(ours, tasks) == pytest.approx(proportions(other, tasks), rel=1e-12)


def test_given_weights_are_rates(tasks: list[Any]):
    from t5mix.mixing.seqio_export import to_seqio

    proportions = {name: 1.0 + i for i, name in enumerate(SIZES)}
    mixture = to_seqio("interop_ours", Fixed(task_weights=proportions), SIZES)
    assert {task.name: mixture.get_rate(task) for task in tasks} == proportions


@pytest.mark.parametrize("strategy", [PriorODM(), Capped(strategy=Equal())])
def test_what_is_not_static_is_refused(strategy: Any, seqio: Any, tasks: list[Any]):
    from t5mix.mixing.seqio_export import to_seqio

    message = (
        rf"^{type(strategy).__name__} cannot be handed to seqio.*Take one of equal, fixed, proportional, temperature"
    )
    with pytest.raises(T5MixError, match=message):
        to_seqio("interop_ours", strategy, SIZES)
    assert "interop_ours" not in seqio.MixtureRegistry.names()


def test_unknown_tasks_empty_tasks_and_taken_names_are_refused(tasks: list[Any]):
    from t5mix.mixing.seqio_export import to_seqio

    with pytest.raises(T5MixError, match="seqio knows no task interop_other"):
        to_seqio("interop_ours", Equal(), {**SIZES, "interop_other": 3})
    with pytest.raises(T5MixError, match="No training examples in interop_small"):
        to_seqio("interop_ours", Equal(), {**SIZES, "interop_small": 0})
    with pytest.raises(T5MixError, match="'interop_small' already"):
        to_seqio("interop_small", Equal(), SIZES)
