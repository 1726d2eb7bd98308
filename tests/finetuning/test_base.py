"""What a policy has by default, what it is once it is bound, and what may be registered as one."""

import dataclasses

import pytest

from t5mix.configurable import configurable
from t5mix.errors import T5MixError
from t5mix.finetuning import IA3, POLICIES, Discriminative, FineTuningPolicy, Full, PerTask, PromptTuning, RegexPolicy
from t5mix.finetuning.base import BoundPolicy, RunShape

RUN = RunShape(10, None)


@configurable
class Smallest(FineTuningPolicy):
    """Defines what it must and nothing else."""

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        return 3


def test_every_member_but_one_has_a_default():
    policy, model = Smallest(), object()
    assert policy.adapt(model, None) is model
    assert policy.learning_rate_scale("path", RUN) == 1.0
    assert (policy.patterns, policy.prompt_length, policy.bank) == ((), 0, None)
    assert policy.for_tasks(["a"], None) is policy
    with pytest.raises(NotImplementedError, match="Smallest defines no in_bank"):
        policy.in_bank(model, None, None)  # type: ignore[arg-type]


def test_a_policy_must_say_what_trains():
    with pytest.raises(TypeError, match="unfreeze_step"):
        FineTuningPolicy()  # type: ignore[abstract]


def test_only_a_subclass_is_registered():
    with pytest.raises(
        T5MixError,
        match=r"Duck cannot be the fine-tuning policy 'duck': let it inherit from t5mix\.finetuning\.base\.FineTuningP",
    ):
        POLICIES.register("duck")(type("Duck", (), {"unfreeze_step": lambda self, path, run: 0}))
    assert "duck" not in list(POLICIES)


@pytest.mark.parametrize(
    "policy",
    [Full(), RegexPolicy(train=("decoder/.*",)), PromptTuning(length=3), PerTask(policy=IA3()), Discriminative()],
)
def test_a_bound_policy_answers_as_the_policy_does(policy: FineTuningPolicy):
    bound = policy.bind(["b", "a"])
    assert bound == BoundPolicy(policy.for_tasks(["b", "a"], None), ("b", "a"))
    assert bound.num_tasks == 2
    filled = bound.policy
    assert (bound.patterns, bound.prompt_length, bound.bank) == (filled.patterns, filled.prompt_length, filled.bank)
    run = dataclasses.replace(RUN, model=_Depths)
    for path in ("decoder/blocks/0/tasks/a/ia3_outputs", "prompt/prompt_embedding", "encoder/final_norm/scale"):
        assert bound.unfreeze_step(path, run) == filled.unfreeze_step(path, run)
        assert bound.learning_rate_scale(path, run) == filled.learning_rate_scale(path, run)


class _Depths:
    num_layers = num_decoder_layers = 2


def test_without_data_a_bank_has_its_configured_tasks_or_stand_ins():
    bank = PerTask(policy=IA3())
    assert bank.bind_for_shapes().tasks == ("any",)
    assert bank.bind_for_shapes(["demo"]) == bank.bind(["demo"])
    named = PerTask(policy=IA3(), tasks=("a", "b"))
    assert named.bind_for_shapes(["demo"]) == BoundPolicy(named, ("a", "b"))
    assert Discriminative(policy=named).bind_for_shapes(["demo"]).tasks == ("a", "b")
    assert Full().bind_for_shapes(["demo"]) == BoundPolicy(Full(), ("demo",))


def test_a_run_that_continues_is_bound_as_it_was():
    start = PerTask(policy=IA3(), tasks=("c", "a"), frozen_tasks=("d",))
    bound = PerTask(policy=IA3()).bind(["a", "b"], start)
    assert bound.policy == PerTask(policy=IA3(), tasks=("a", "b"), frozen_tasks=("c", "d"))
    assert PerTask(policy=IA3()).bind(["a", "b"], bound.policy) == bound


def test_a_model_that_answers_has_all_tasks_of_its_checkpoint():
    bank = PerTask(policy=IA3(), tasks=("a",), frozen_tasks=("b", "c"))
    whole = BoundPolicy(PerTask(policy=IA3(), tasks=("a", "b", "c")), ("a", "b", "c"))
    assert bank.bind_for_inference() == Discriminative(policy=bank).bind_for_inference() == whole
    assert Full().bind_for_inference().policy == Full()
