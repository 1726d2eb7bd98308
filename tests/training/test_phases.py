"""The phases of a run: when what trains, as a policy's answers divide it, and which answers are refused."""

import dataclasses
from collections.abc import Iterable, Mapping

import pytest

from t5mix.errors import T5MixError
from t5mix.finetuning import Full, GradualUnfreezing, LayerNorms, RegexPolicy
from t5mix.finetuning.base import FineTuningPolicy, RunShape
from t5mix.model import abstract_model
from t5mix.training.phases import TrainingPhases, divide_into_phases

RUN = RunShape(steps=10, model=None)
PHASES = TrainingPhases(starts=(0, 3, 7), groups=(("c", "a"), ("d",), ("b",)), frozen=("e",))
PARAMS = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}


@dataclasses.dataclass(frozen=True)
class Given(FineTuningPolicy):
    """A policy whose answers are given."""

    steps: Mapping[str, int | None]
    patterns: tuple[str, ...] = ()

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        assert run is RUN
        return self.steps[path]


def phases_of(paths: Iterable[str], policy: FineTuningPolicy, run: RunShape) -> TrainingPhases:
    return divide_into_phases(paths, policy.bind_for_shapes(), run)


def test_a_phase_begins_with_its_own_step():
    assert [PHASES.at(step) for step in range(10)] == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
    assert PHASES.at(1_000_000) == 2


def test_what_trains_grows_from_phase_to_phase():
    assert [PHASES.trained(phase) for phase in range(3)] == [["a", "c"], ["a", "c", "d"], ["a", "b", "c", "d"]]


def test_what_trains_and_the_rest_are_all_there_is():
    assert PHASES.split(PARAMS, 0) == ({"a": 1, "c": 3}, {"b": 2, "d": 4, "e": 5})
    assert PHASES.split(PARAMS, 1) == ({"a": 1, "c": 3, "d": 4}, {"b": 2, "e": 5})
    assert PHASES.split(PARAMS, 2) == ({"a": 1, "b": 2, "c": 3, "d": 4}, {"e": 5})
    assert list(PHASES.split(PARAMS, 2)[0]) == ["a", "b", "c", "d"], "in the order of their paths"
    with pytest.raises(KeyError, match="c"):
        PHASES.split({"a": 1, "b": 2, "d": 4, "e": 5}, 0)


def test_answers_divide_a_run():
    steps = {"a": 0, "b": 4, "c": None, "d": 9, "e": 0, "f": 4}
    expected = TrainingPhases(starts=(0, 4, 9), groups=(("a", "e"), ("b", "f"), ("d",)), frozen=("c",))
    assert phases_of(steps, Given(steps), RUN) == expected
    assert phases_of(reversed(steps), Given(steps), RUN) == expected, "the order in which paths come does not matter"
    assert phases_of(iter(["a", "b"]), Given(steps), RUN) == TrainingPhases((0, 4), (("a",), ("b",)), ())


def test_one_phase_where_all_trains():
    assert phases_of("ab", Full(), RUN) == TrainingPhases((0,), (("a", "b"),), ())


@pytest.mark.parametrize("steps", [{"a": None, "b": None}, {"a": 1, "b": 5}, {"a": 1, "b": None}, {}])
def test_something_must_train_from_the_first_step_on(steps: dict[str, int | None]):
    with pytest.raises(T5MixError, match=r"Given\(.* trains no parameter of this model from the first step on"):
        phases_of(steps, Given(steps), RUN)


def test_a_policy_for_another_model_is_refused_by_name():
    with pytest.raises(T5MixError, match=r"Norms\(\) trains no parameter"):
        phases_of(["token_embedding/embedding", "output/kernel"], LayerNorms(), RUN)


@pytest.mark.parametrize("late", [10, 11, 500])
def test_a_phase_beyond_the_run_is_refused(late: int):
    steps = {"a": 0, "b": 9, "c": late, "d": late + 3}
    with pytest.raises(T5MixError, match=rf"phases that begin at step {late}, and the run has 10 steps. Train longer"):
        phases_of(steps, Given(steps), RUN)
    assert phases_of("ab", Given(steps), RUN).starts == (0, 9), "the last step may have a phase of its own"


def test_shares_of_a_run_that_is_too_short_are_refused(tiny):
    policy = GradualUnfreezing(starts=(0, 0.96))
    config = tiny.model_config(num_layers=2, num_decoder_layers=2)
    paths = abstract_model(config)[1]
    with pytest.raises(T5MixError, match="phases that begin at step 10, and the run has 10 steps"):
        phases_of(paths, policy, RunShape(10, config))
    assert phases_of(paths, policy, RunShape(100, config)).starts == (0, 96)


def test_a_run_shorter_than_its_episodes_has_fewer_phases(tiny):
    config = tiny.model_config(num_layers=6, num_decoder_layers=6)
    phases = phases_of(abstract_model(config)[1], GradualUnfreezing(), RunShape(2, config))
    assert phases.starts == (0, 1)
    assert phases.frozen == ()


def test_a_pattern_that_matches_nothing_is_refused():
    paths = ["encoder/final_norm/scale", "decoder/final_norm/scale"]
    assert phases_of(paths, RegexPolicy(train=("encoder/.*",)), RUN).frozen == ("decoder/final_norm/scale",)
    near = r"The pattern 'encoder/final_nrm/\.\*' matches no parameter\. The nearest are encoder/final_norm/scale"
    for policy in (
        RegexPolicy(train=("decoder/.*", "encoder/final_nrm/.*")),
        RegexPolicy(freeze=("encoder/final_nrm/.*",)),
        Given(dict.fromkeys(paths, 0), patterns=("encoder/final_nrm/.*",)),
    ):
        with pytest.raises(T5MixError, match=near):
            phases_of(paths, policy, RUN)
    with pytest.raises(T5MixError, match="matches no parameter"):
        phases_of(paths, RegexPolicy(train=("final_norm",)), RUN)  # a pattern is for a whole path


def test_exceptions_that_leave_nothing_are_refused():
    with pytest.raises(T5MixError, match=r"RegexPolicy\(.* trains no parameter"):
        phases_of(["a", "b"], RegexPolicy(freeze=(".*",)), RUN)


def test_what_trains_is_said_from_the_first_step_on():
    sizes = {"a": 1000, "b": 500, "c": 2500, "d": 0}
    assert TrainingPhases((0,), (("b",),), ("a", "c", "d")).sentence(sizes) == "Of 4,000 parameters 500 train (12.50%)."
    several = TrainingPhases((0, 3, 1200), (("b",), ("a",), ("c",)), ("d",))
    assert several.sentence(sizes) == (
        "Of 4,000 parameters 500 train at first (12.50%); further ones join: 1,000 at step 3 and 2,500 at step 1,200."
    )
    many = TrainingPhases((0, 1, 2, 3, 4, 5), (("b",), ("a",), *[("d",)] * 4), ("c",))
    assert many.sentence(sizes) == (
        "Of 4,000 parameters 500 train at first (12.50%); further ones join at 5 steps from 1 to 5, in the end 1,500 "
        "(37.50%) train."
    )
