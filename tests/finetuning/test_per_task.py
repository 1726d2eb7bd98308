"""Banks: each task of a mixed batch gets what it gets alone; and what the policy answers."""

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.decoding import GenerationConfig, decode
from t5mix.errors import T5MixError
from t5mix.finetuning import (
    IA3,
    Adapter,
    Discriminative,
    Full,
    GradualUnfreezing,
    Houlsby,
    LayerNorms,
    LoRA,
    PerTask,
    Pfeiffer,
    PrefixTuning,
    PromptTuning,
)
from t5mix.finetuning.base import RunShape
from t5mix.model import T5Config, abstract_model, merge_params
from t5mix.training.losses import token_losses

Params = dict[str, Any]
Batch = dict[str, jax.Array]

CONFIG = T5Config(vocab_size=48, d_model=16, d_ff=24, d_kv=8, num_heads=2, num_layers=1, num_decoder_layers=1)
RUN = RunShape(10, CONFIG)
TASKS = ("red", "green", "blue")
TASK_OF = (2, 0, 1, 1, 0)
"""The task of each of the examples."""
PACKED, ALONE = [[0, 1, 2], [3, 4], [], [], []], [[0], [1], [2], [3], [4]]
INPUTS, TARGETS = 28, 15

LORA_2 = LoRA(rank=2)
EVERY_MAP: Any = {"targets": (".*",)}
POLICIES = {
    "adapter": (Adapter(dim=4, train_norms="own"), Adapter(dim=2, train_norms="own")),
    "houlsby": (Houlsby(dim=4, train_norms="none"), Houlsby(dim=2, train_norms="none")),
    "pfeiffer": (Pfeiffer(dim=4), Pfeiffer(dim=2)),
    "lora": (LoRA(rank=4, alpha=6.0, **EVERY_MAP), LoRA(rank=2, alpha=3.0, **EVERY_MAP)),
    "ia3": (IA3(), IA3()),
    "prompt": (PromptTuning(length=3), PromptTuning(length=3)),
}
"""A policy, and the one of which two parts, a task's own and the shared one, make one of its parts."""


class Case(NamedTuple):
    """A bank, the policy that does alone what it does for each task, and parameters far from where they start.

    Attributes:
        bank: the bank.
        single: the policy.
        base: the parameters of the plain model.
        parts: those that the bank adds.
    """

    bank: PerTask
    single: Any
    base: Params
    parts: Params

    @property
    def params(self) -> Params:
        return {**self.base, **self.parts}


def draw_params(shapes: Mapping[str, Any], seed: int) -> Params:
    draw, drawn = np.random.default_rng(seed), {}
    for path, leaf in sorted(shapes.items()):
        start = 1.0 if path.endswith(("/scale", "/ia3_inputs", "/ia3_outputs")) else 0.0
        drawn[path] = jnp.asarray(start + 0.3 * draw.standard_normal(leaf.shape), jnp.float32)
    return drawn


@functools.cache
def structure(policy: Any) -> tuple[Any, Any]:
    """The structure and the shapes of the model that a policy makes; None for the plain one."""
    return abstract_model(CONFIG, policy and policy.adapt)


@functools.cache
def base_params() -> Params:
    return draw_params(structure(None)[1], 0)


@functools.cache
def case_of(name: str, shared: bool) -> Case:
    single, half = POLICIES[name]
    bank = PerTask(policy=half if shared else single, shared=shared, tasks=TASKS)
    base, shapes = base_params(), structure(bank)[1]
    return Case(bank, single, base, draw_params({path: shapes[path] for path in shapes.keys() - base.keys()}, 1))


@pytest.fixture(params=[f"{name}{shared}" for name in POLICIES for shared in ("", "-shared")])
def case(request: pytest.FixtureRequest) -> Case:
    name, _, shared = request.param.partition("-")
    return case_of(name, bool(shared))


@functools.cache
def examples() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    draw = np.random.default_rng(2)
    return tuple((draw.integers(2, 48, 6 - example % 2), draw.integers(2, 48, 5 - example % 3)) for example in range(5))


def batch_of(rows: Sequence[Sequence[int]], prompt: int, task_of: Sequence[int] = TASK_OF, padding: int = 0) -> Batch:
    """Packs examples into rows, as `t5mix.data.batch` does.

    Args:
        rows: the examples of each row.
        prompt: positions before each example's inputs.
        task_of: the task of each example.
        padding: the task of the padding.
    """
    batch = {}
    for side, width in (("encoder", INPUTS), ("decoder", TARGETS)):
        names = ("inputs", "targets", "segment_ids", "positions", "task_ids")
        arrays = {name: np.zeros((len(rows), width), np.int32) for name in names}
        arrays["task_ids"] += padding
        for row, members in enumerate(rows):
            at = 0
            for segment, example in enumerate(members, start=1):
                inputs, targets = examples()[example]
                tokens = [0] * prompt + [*inputs] if side == "encoder" else [0, *targets[:-1]]
                here = row, slice(at, at + len(tokens))
                at += len(tokens)
                arrays["inputs"][here], arrays["segment_ids"][here] = tokens, segment
                arrays["positions"][here], arrays["task_ids"][here] = range(len(tokens)), task_of[example]
                if side == "decoder":
                    arrays["targets"][here] = targets
        batch |= {f"{side}_{name}": jnp.asarray(array) for name, array in arrays.items()}
    return batch


def of_each(rows: Sequence[Sequence[int]], values: Any) -> dict[int, np.ndarray]:
    """Takes a batch of values [B, T, ...] apart into those of each example's targets."""
    taken = {}
    for row, members in enumerate(rows):
        at = 0
        for example in members:
            end = at + len(examples()[example][1])
            taken[example] = np.asarray(values)[row, at:end]
            at = end
    return taken


@functools.cache
def quick() -> dict[str, Any]:
    """Options that make compiling faster and the program slower; not every version of JAX knows the second."""
    options = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(jnp.negative, compiler_options=options)(1.0)
    except jax.errors.JaxRuntimeError:
        del options["xla_cpu_use_fusion_emitters"]
    return options


@functools.cache
def model_of(policy: Any) -> Any:
    """Compiles a model: from what trains, the rest, a batch and the weights of its targets to logits and gradients."""
    graphdef = structure(policy)[0]

    def loss(parts, base, batch, weights):
        logits = merge_params(graphdef, {**base, **parts})(batch)
        return (token_losses(logits, batch["decoder_targets"]).cross_entropy * weights).sum(), logits

    run = jax.jit(jax.grad(loss, has_aux=True), compiler_options=quick())

    def call(parts: Params, base: Params, batch: Batch, weights: Any = None) -> tuple[Params, jax.Array]:
        mask = batch["decoder_segment_ids"] > 0
        return run(parts, base, batch, mask * (jnp.ones(mask.shape) if weights is None else jnp.asarray(weights)))

    return call


def part_of(name: str, parts: Params) -> Params:
    """The part tasks/NAME, or the shared one, by the paths of a model that has it alone."""
    place = re.compile(rf"(/bank)?/{re.escape(name)}/")
    return {place.sub("/", path): leaf for path, leaf in parts.items() if place.search(path)}


def merged_task(bank: PerTask, params: Params, task: str) -> Params:
    """The plain model that does what a bank does for one task."""
    single, single_params = bank.single_task(params, task)
    return single.merged(single_params)


def alone_of(task: str, parts: Params) -> Params:
    """The parts of a single policy that does what a bank does for one task."""
    own, shared = part_of(f"tasks/{task}", parts), part_of("shared", parts)
    return joined(own, shared) if shared else own


def joined(own: Params, shared: Params) -> Params:
    """Two parts as one: products and sums of vectors, bottlenecks side by side."""
    whole = {}
    for path, mine in own.items():
        theirs = shared[path]
        if path.endswith("/norm/scale"):
            whole[path] = jnp.ones_like(mine)  # the maps behind the two norms take up their scales
            continue
        if path.endswith("/down/kernel") and (norm := path.replace("/down/kernel", "/norm/scale")) in own:
            mine, theirs = own[norm][:, None] * mine, shared[norm][:, None] * theirs
        if path.endswith(("/ia3_inputs", "/ia3_outputs")):
            whole[path] = mine * theirs
        elif path.endswith(("/up_bias", "/prompt_embedding")):
            whole[path] = mine + theirs
        else:
            whole[path] = jnp.concatenate([mine, theirs], axis=path.endswith(("/down/kernel", "/lora_a")))
    return whole


def close(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Compares to a share of the largest value."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def expected(case: Case) -> tuple[dict[int, np.ndarray], dict[str, np.ndarray]]:
    """The logits of each example, in a row of its own, and the gradients, summed over the tasks one after the other."""
    batch = batch_of(ALONE, case.bank.prompt_length)
    logits: dict[int, np.ndarray] = {}
    gradients = {path: np.zeros(leaf.shape, np.float32) for path, leaf in case.parts.items()}
    for number, task in enumerate(TASKS):
        parts, pull = jax.vjp(functools.partial(alone_of, task), case.parts)
        mine = np.asarray(TASK_OF) == number
        found, task_logits = model_of(case.single)(parts, case.base, batch, mine[:, None].astype(np.float32))
        logits |= {example: each for example, each in of_each(ALONE, task_logits).items() if mine[example]}
        gradients = {path: gradients[path] + leaf for path, leaf in jax.device_get(pull(found)[0]).items()}
    return logits, gradients


def test_in_a_mixed_batch_each_task_gets_what_it_gets_alone(case: Case):
    found, logits = model_of(case.bank)(case.parts, case.base, batch_of(PACKED, case.bank.prompt_length))
    expected_logits, expected_gradients = expected(case)
    of_bank = of_each(PACKED, logits)
    assert of_bank.keys() == expected_logits.keys() == set(range(5))
    for example, each in expected_logits.items():
        close(of_bank[example], each)
    assert found.keys() == expected_gradients.keys()
    for path, each in expected_gradients.items():
        assert np.abs(each).max() > 1e-3, path
        close(found[path], each, 1e-4)  # a sum over all positions, many of whose terms cancel


def test_a_tasks_part_decides_its_own_examples_and_no_others(case: Case):
    batch, run = batch_of(PACKED, case.bank.prompt_length), model_of(case.bank)
    before = of_each(PACKED, run(case.parts, case.base, batch)[1])
    other = draw_params(case.parts, 3)
    for number, task in enumerate(TASKS):
        parts = {path: (other if f"/tasks/{task}/" in path else case.parts)[path] for path in case.parts}
        after = of_each(PACKED, run(parts, case.base, batch)[1])
        for example, each in after.items():
            if TASK_OF[example] == number:
                assert np.abs(each - before[example]).max() > 0.01
            else:
                np.testing.assert_array_equal(each, before[example])


def test_a_task_that_a_batch_lacks_gets_no_gradient(case: Case):
    # Not even where the padding says that it is the task's.
    batch = batch_of(PACKED, case.bank.prompt_length, task_of=[task % 2 for task in TASK_OF], padding=2)
    gradients, _ = model_of(case.bank)(case.parts, case.base, batch)
    for path, leaf in jax.device_get(gradients).items():
        assert leaf.any() == ("/tasks/blue/" not in path), path


@pytest.mark.parametrize("name", sorted(POLICIES.keys() - {"pfeiffer"}))  # which is part of houlsby
def test_greedy_decoding_agrees_with_teacher_forcing(name: str):
    case = case_of(name, True)
    prompt = case.bank.prompt_length
    graphdef = structure(case.bank)[0]

    def greedy(params, inputs, task_ids):
        config = GenerationConfig(max_new_tokens=TARGETS)
        decoded = decode(merge_params(graphdef, params), inputs, config, eos_id=-1, task_ids=task_ids)
        return decoded.tokens[:, 0], decoded.scores[:, 0]

    run = jax.jit(greedy, compiler_options=quick())
    batch, tasks = batch_of(ALONE, prompt), jnp.asarray(TASK_OF)
    inputs = batch["encoder_inputs"][:, prompt:]
    tokens, log_probs = jax.device_get(run(case.params, inputs, tasks))
    assert len(np.unique(tokens)) > 5, "the case is too simple to tell"
    forced = {
        **batch,
        "decoder_inputs": jnp.pad(tokens[:, :-1], ((0, 0), (1, 0))),
        "decoder_segment_ids": jnp.ones_like(tokens),
        "decoder_task_ids": jnp.broadcast_to(tasks[:, None], tokens.shape),
    }
    expected = np.asarray(jax.nn.log_softmax(model_of(case.bank)(case.parts, case.base, forced)[1]))
    np.testing.assert_array_equal(tokens, expected.argmax(-1))
    np.testing.assert_allclose(log_probs, expected.max(-1).sum(axis=1), rtol=1e-5)
    others = run(case.params, inputs, (tasks + 1) % 3)[0]
    assert (tokens != np.asarray(others)).any(axis=1).all(), "the task decides what is decoded"


@pytest.mark.parametrize("name", ["adapter", "ia3"])
def test_one_more_task_changes_nothing_for_the_others(name: str):
    case = case_of(name, False)
    batch = batch_of(PACKED, case.bank.prompt_length)
    more = PerTask(policy=case.bank.policy).for_tasks([*TASKS, "white"], case.bank)
    shapes = structure(more)[1]
    added = draw_params({path: shapes[path] for path in shapes.keys() - case.params.keys()}, 4)
    assert {path for path in shapes if "/tasks/white/" in path} == added.keys() != set()
    logits = []
    for bank, params in ((case.bank, case.params), (more, {**case.params, **added})):
        graphdef = structure(bank)[0]
        run = jax.jit(
            lambda params, batch, graphdef=graphdef: merge_params(graphdef, params)(batch), compiler_options=quick()
        )
        logits.append(of_each(PACKED, run(params, batch)))
    for example in range(5):
        if name == "adapter":
            # A product is summed over the inner features of all tasks. Those of the others are zero, but how the terms
            # are grouped, and so the last bit, is up to the compiler.
            close(logits[0][example], logits[1][example])
        else:  # one vector is chosen
            np.testing.assert_array_equal(logits[0][example], logits[1][example])


def test_without_task_ids_there_is_an_error():
    case = case_of("lora", True)
    graphdef = structure(case.bank)[0]
    batch = {name: array for name, array in batch_of(PACKED, 0).items() if not name.endswith("_task_ids")}
    message = "a module for each of red, green, blue, and no task ids say which one to use"
    with pytest.raises(T5MixError, match=message):
        jax.eval_shape(lambda params: merge_params(graphdef, params)(batch), case.params)
    with pytest.raises(T5MixError, match=message):
        jax.eval_shape(
            lambda params: decode(
                merge_params(graphdef, params), batch["encoder_inputs"], GenerationConfig(max_new_tokens=4)
            ),
            case.params,
        )


def test_a_bank_without_tasks_is_refused_by_the_model():
    with pytest.raises(T5MixError, match=r"This bank has no tasks: give their names, finetuning\.tasks"):
        abstract_model(CONFIG, PerTask().adapt)


# The policy's answers


def test_the_run_fills_in_its_tasks():
    bank = PerTask(policy=IA3(), shared=True)
    assert bank.bind(["b", "a"]).policy == PerTask(policy=IA3(), shared=True, tasks=("b", "a"))
    # What was configured may stand, in whatever order: the run's is that of the task ids.
    named = PerTask(policy=IA3(), tasks=("a", "b"))
    assert named.bind(["b", "a"]).policy == PerTask(policy=IA3(), tasks=("b", "a"))
    for others in (["a"], ["a", "b", "c"], ["a", "c"]):
        with pytest.raises(T5MixError, match=f"finetuning.tasks names a, b, and the run trains on {', '.join(others)}"):
            named.bind(others)


def test_the_run_keeps_the_tasks_of_the_bank_that_it_starts_from():
    before = PerTask(policy=IA3(), tasks=("a", "b"), frozen_tasks=("c", "d"))
    bank = PerTask(policy=IA3())
    assert bank.bind(["d", "b", "e"], before).policy == PerTask(
        policy=IA3(), tasks=("d", "b", "e"), frozen_tasks=("a", "c")
    )
    expected = PerTask(policy=IA3(), tasks=("a",), frozen_tasks=("b", "c", "d"))
    assert bank.bind(["a"], before).policy == bank.bind(["a"], Discriminative(policy=before)).policy == expected
    assert bank.bind(["d", "c", "b", "a"], before).policy == PerTask(policy=IA3(), tasks=("d", "c", "b", "a"))
    assert bank.bind(["e"], Full()).policy == PerTask(policy=IA3(), tasks=("e",))


@pytest.mark.parametrize(
    ("before", "name"),
    [
        (PerTask(policy=LoRA(rank=4), tasks=("a",)), "LoRA(rank=4"),
        (PerTask(policy=IA3(), tasks=("a",)), "IA3()"),
        (PerTask(policy=LoRA(), shared=True, tasks=("a",)), "and a shared module, and"),
    ],
)
def test_another_bank_to_start_from_is_refused(before: PerTask, name: str):
    with pytest.raises(T5MixError, match=r"They must be the same\.$") as error:
        PerTask(policy=LoRA()).bind(["a", "b"], before)
    assert name in str(error.value)


def test_what_trains(case: Case):
    whole = case.bank
    some = dataclasses.replace(whole, tasks=TASKS[:2], frozen_tasks=TASKS[2:])
    plain, paths = case.base.keys(), structure(whole)[1].keys()
    own = {task: part_of(f"tasks/{task}", dict.fromkeys(paths)).keys() for task in TASKS}
    assert own["red"] == own["green"] == own["blue"] == structure(case.single)[1].keys() - plain
    of_all = {path for path in paths if "/shared/" in path}
    assert bool(of_all) == whole.shared
    trained = {bank: {path for path in paths if bank.unfreeze_step(path, RUN) == 0} for bank in (whole, some)}
    assert trained[whole] == paths - plain, "the body belongs to all"
    # The shared part is also that of the tasks that are kept.
    assert trained[some] == {path for path in trained[whole] - of_all if "/tasks/blue/" not in path}
    for bank in (whole, some):
        assert {bank.unfreeze_step(path, RUN) for path in paths - trained[bank]} == {None}
        assert {bank.learning_rate_scale(path, RUN) for path in paths} == {1.0}


def test_tasks_may_have_names_that_mean_something_here():
    bank = PerTask(policy=LORA_2, tasks=("shared", "17", "bank", "a.b:c"))
    graphdef, shapes = structure(bank)
    added = shapes.keys() - base_params().keys()
    assert {path for path in shapes if bank.unfreeze_step(path, RUN) == 0} == added
    some = dataclasses.replace(bank, tasks=("17", "bank", "a.b:c"), frozen_tasks=("shared",))
    trained = {path for path in shapes if some.unfreeze_step(path, RUN) == 0}
    assert added - trained == {path for path in added if "/tasks/shared/" in path}
    assert len(added - trained) * 4 == len(added)
    logits = jax.eval_shape(lambda params: merge_params(graphdef, params)(batch_of(PACKED, 0)), shapes)
    assert logits.shape == (5, TARGETS, 48)
    params = {**base_params(), **draw_params({path: shapes[path] for path in added}, 5)}
    for task in bank.tasks:
        whole = LORA_2.merged({**base_params(), **part_of(f"tasks/{task}", params)})
        jax.tree.map(np.testing.assert_array_equal, merged_task(bank, params, task), whole)


def test_a_task_called_shared_is_not_the_shared_part():
    bank = PerTask(policy=LORA_2, tasks=("shared",), shared=True)
    _, shapes = structure(bank)
    params = {**base_params(), **draw_params({path: shapes[path] for path in shapes.keys() - base_params().keys()}, 5)}
    once = LORA_2.merged({**base_params(), **part_of("tasks/shared", params)})
    both = LORA_2.merged({**once, **part_of("shared", {p: v for p, v in params.items() if "/tasks/" not in p})})
    jax.tree.map(np.testing.assert_array_equal, bank.merged(params), both)


def test_a_model_for_answers_has_all_parts():
    bank = PerTask(policy=LORA_2, tasks=("b", "a"), frozen_tasks=("old", "c"))
    whole = bank.for_inference()
    assert whole == PerTask(policy=LORA_2, tasks=("b", "a", "old", "c"))
    assert [bank.task_index(task) for task in whole.tasks] == [0, 1, 2, 3]
    assert [whole.task_index(task) for task in whole.tasks] == [0, 1, 2, 3]
    assert structure(bank)[1].keys() == structure(whole)[1].keys()
    with pytest.raises(T5MixError, match=r"no modules for the task 'd'\. It has them for b, a, old, c\."):
        bank.task_index("d")


def test_one_task_taken_out_of_a_bank_answers_as_it_did_there():
    case = case_of("adapter", True)
    bank, params = dataclasses.replace(case.bank, tasks=("red", "blue"), frozen_tasks=("green",)).single_task(
        case.params, "green"
    )
    assert bank == dataclasses.replace(case.bank, tasks=("green",))
    assert params.keys() == structure(bank)[1].keys()
    assert all(params[path] is case.params[path] for path in params)
    batch = batch_of(ALONE, 0)
    expected = of_each(ALONE, model_of(case.bank)(case.parts, case.base, batch)[1])
    parts = {path: leaf for path, leaf in params.items() if path not in case.base}
    found = of_each(ALONE, model_of(bank)(parts, case.base, batch_of(ALONE, 0, task_of=[0] * 5))[1])
    for example in (2, 3):
        close(found[example], expected[example])
    with pytest.raises(T5MixError, match="no modules for the task 'pink'"):
        case.bank.single_task(case.params, "pink")


@pytest.mark.parametrize("name", ["lora", "ia3"])
@pytest.mark.parametrize("shared", [False, True])
def test_a_task_merged_into_a_plain_model_answers_as_it_did(name: str, shared: bool):
    case, batch = case_of(name, shared), batch_of(ALONE, 0)
    expected = of_each(ALONE, model_of(case.bank)(case.parts, case.base, batch)[1])
    for number, task in enumerate(TASKS):
        params = merged_task(case.bank, case.params, task)
        assert params.keys() == case.base.keys()
        found = of_each(ALONE, model_of(None)({}, params, batch)[1])
        for example in range(5):
            if TASK_OF[example] == number:
                close(found[example], expected[example])
            else:
                assert np.abs(found[example] - expected[example]).max() > 0.01


def test_several_tasks_are_not_merged():
    with pytest.raises(
        T5MixError, match=r"several tasks cannot become one model\. Name the task to merge: red, green, blue\."
    ):
        case_of("lora", False).bank.merged({})
    with pytest.raises(T5MixError, match="Name the task to merge: a, b"):
        PerTask(policy=IA3(), tasks=("a",), frozen_tasks=("b",)).merged({})


@pytest.mark.parametrize("name", ["adapter", "houlsby", "pfeiffer", "prompt"])
def test_what_cannot_be_merged_is_refused(name: str):
    case = case_of(name, True)
    with pytest.raises(T5MixError, match=f"What the policy '{name}' adds cannot be merged"):
        merged_task(case.bank, case.params, "red")


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (LayerNorms(), r"finetuning\.policy is 'layer_norms', which adds nothing"),
        (Full(), r"'full', which adds nothing.*adapter, houlsby, ia3, lora, pfeiffer, prompt$"),
        (GradualUnfreezing(), "'gradual_unfreezing'"),
        (PrefixTuning(), "'prefix'"),
        (PerTask(tasks=("a",)), "'per_task'"),
        (Discriminative(policy=LoRA()), "'discriminative'"),
        (Adapter(), r"finetuning\.policy\.train_norms is 'all'.*'own' \(adapter\)"),
        (Houlsby(), r"finetuning\.policy\.train_norms is 'all'.*'none' \(houlsby, pfeiffer\)"),
        (Pfeiffer(train_norms="all"), r"finetuning\.policy\.train_norms is 'all'"),
        (LoRA(dora=True), r"finetuning\.policy\.dora is true: a bank has plain LoRA only"),
    ],
)
def test_what_no_bank_can_hold_is_refused(policy: Any, message: str):
    with pytest.raises(ValueError, match=message):
        PerTask(policy=policy)


def test_a_bank_is_found_in_what_is_wrapped_around_it():
    bank = PerTask(policy=LORA_2, tasks=("a",))
    assert bank.bank is bank
    assert Discriminative(policy=bank).bank is bank
    assert Discriminative(policy=Discriminative(policy=bank)).bank is bank
    assert LORA_2.bank is None
    assert Discriminative().bank is None


def test_prompts_of_a_bank_take_the_same_positions():
    assert PerTask(policy=PromptTuning(length=5)).prompt_length == 5
    assert PerTask().prompt_length == 0
