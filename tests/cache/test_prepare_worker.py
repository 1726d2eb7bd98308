import dataclasses
import errno
import functools
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from t5mix.cache import prepare_worker, seqio_task
from t5mix.cache.declared_task import DeclaredTask
from t5mix.cache.prepare_worker import main, prepare_shard
from t5mix.cache.run_task import SplitSpec
from t5mix.cache.run_tasks import load_tasks
from t5mix.data import token_store
from t5mix.data.manifest import DataManifest, shard_path
from t5mix.data.token_store import DamagedStoreError, open_store
from t5mix.data.tokenizer import Tokenizer
from t5mix.errors import T5MixError
from t5mix.tensorflow_setup import seqio, tf

SPLITS = ("train", "validation")


def files_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*")) if path.is_file()}


def test_stores_hold_what_the_files_say(make_request):
    manifest = prepare_worker.prepare(make_request(), quiet=True)
    tokenizer = Tokenizer(manifest.vocabulary)
    task = manifest.task("declared_labels")
    assert (task.metrics, task.random, tuple(task.splits)) == (("accuracy",), False, SPLITS)
    assert prepare_worker.prepare(make_request(splits=("train",)), quiet=True).tasks[0].all_splits == SPLITS
    opened = open_store(Path(task.splits["train"].path))
    assert len(opened) == task.splits["train"].counts.examples == 60
    rows = Path(manifest.request.declared["declared_labels"]["files"]["train"]).read_text().splitlines()[1:]
    for index in (0, 1, 59):
        inputs, targets = opened.example(index)
        sentence, label = rows[index].split("\t")
        assert inputs.tolist() == tokenizer.encode(f"labels sentence: {sentence}")
        assert tokenizer.decode(targets) == ["negative", "positive"][int(label)]
    answers = open_store(Path(manifest.task("declared_answers").splits["validation"].path))
    assert len(answers) == 20
    text = manifest.task("declared_text")
    assert text.random
    assert text.splits["train"].counts == open_store(shard_path(text.splits["train"].path, 0)).counts
    assert open_store(Path(text.splits["validation"].path)).counts == text.splits["validation"].counts


def test_a_second_time_touches_no_file_and_runs_no_task(make_request, monkeypatch):
    request = make_request()
    first = prepare_worker.prepare(request, quiet=True)
    before = files_of(Path(request.store_dir))
    monkeypatch.setattr(DeclaredTask, "batches", lambda *_: pytest.fail("the task's code ran again"))
    assert prepare_worker.prepare(request, quiet=True) == first
    assert files_of(Path(request.store_dir)) == before


def test_epochs_differ_and_can_be_made_again(make_request, tmp_path):
    text = ("declared_text",)
    request = make_request(mixture=text)
    manifest = prepare_worker.prepare(request, quiet=True)
    first = shard_path(manifest.tasks[0].splits["train"].path, 0)
    second = prepare_shard(request, "declared_text", 1, quiet=True)
    assert second == shard_path(manifest.tasks[0].splits["train"].path, 1)
    again = prepare_shard(make_request(mixture=text, store_dir=str(tmp_path / "else")), "declared_text", 1, quiet=True)
    assert (second / "inputs.tokens").read_bytes() == (again / "inputs.tokens").read_bytes()
    assert (second / "inputs.tokens").read_bytes() != (first / "inputs.tokens").read_bytes()
    other = prepare_worker.prepare(make_request(mixture=text, seed=4), quiet=True).tasks[0].splits
    assert other["train"].path != manifest.tasks[0].splits["train"].path
    assert other["validation"].path == manifest.tasks[0].splits["validation"].path


def test_what_changes_a_fingerprint(make_request, data_files, declared, tmp_path):
    def path(**changes) -> str:
        chosen = prepare_worker.prepare(make_request(mixture=("declared_labels",), **changes), quiet=True)
        return chosen.tasks[0].splits["train"].path

    first = path()
    assert path(seed=99) == first  # nothing is drawn
    assert (
        len(
            {
                first,
                path(inputs_length=47),
                path(targets_length=23),
                path(extra_ids=39),
                path(vocabulary="bytes", inputs_length=100),
            }
        )
        == 5
    )
    moved = tmp_path / "moved.tsv"
    moved.write_bytes(Path(data_files["labels_train"]).read_bytes())
    changed = {**declared["declared_labels"], "files": {**declared["declared_labels"]["files"], "train": str(moved)}}
    assert path(declared={"declared_labels": changed}) == first  # content counts, not place
    moved.write_text(moved.read_text() + "One more.\t1\n")
    assert path(declared={"declared_labels": changed}) != first
    flipped = {**declared["declared_labels"], "labels": {"0": "positive", "1": "negative"}}
    assert path(declared={"declared_labels": flipped}) != first


def test_all_declared_files_are_checked_before_the_first_store(make_request, data_files):
    Path(data_files["answers_validation"]).write_text('{"question": "who"}\n')
    request = make_request()
    with pytest.raises(T5MixError, match=r"answers_validation\.jsonl, line 1: there is no field 'answers'"):
        prepare_worker.prepare(request, quiet=True)
    assert not Path(request.store_dir).exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mixture": ()}, "names no task"),
        ({"mixture": ("declared_lables",)}, "Did you mean 'declared_labels'"),
        ({"vocabulary": None}, "declared in configuration and bring no vocabulary"),
        ({"vocabulary": "none.model"}, "There is no vocabulary file"),
        ({"inputs_length": 3, "mixture": ("declared_labels",)}, r"no inputs fit into 3 tokens; they have \d+ to \d+"),
        ({"splits": ("test",)}, "has no split 'test'; it has train, validation"),
        (
            {"extra_ids": 1, "inputs_length": 128, "targets_length": 64},
            r"needs \d+ sentinels, and the vocabulary has 1",
        ),
    ],
)
def test_wrong_requests_are_refused_and_leave_nothing(make_request, changes, said):
    request = make_request(**changes)
    with pytest.raises(T5MixError, match=said):
        prepare_worker.prepare(request, quiet=True)
    assert not files_of(Path(request.store_dir)) if Path(request.store_dir).exists() else True


def test_truncation_is_counted_and_said(make_request, caplog):
    chosen = ("declared_answers",)
    whole = prepare_worker.prepare(make_request(mixture=chosen, inputs_length=200), quiet=True).tasks[0].splits["train"]
    assert "are cut" not in caplog.text
    lengths = np.diff(open_store(Path(whole.path)).input_offsets)
    limit = int(np.median(lengths))
    cut = prepare_worker.prepare(make_request(mixture=chosen, inputs_length=limit), quiet=True).tasks[0].splits["train"]
    assert cut.counts.truncated_inputs == (lengths > limit).sum() > 0
    assert cut.counts.longest_input == lengths.max()
    assert f"{100 * (lengths > limit).mean():.1f} % of the inputs are cut to {limit} tokens" in caplog.text
    inputs, _ = open_store(Path(cut.path)).example(int(lengths.argmax()))
    assert inputs[-1] == 1


def test_a_damaged_store_is_refused(make_request):
    request = make_request(mixture=("declared_labels",))
    path = Path(prepare_worker.prepare(request, quiet=True).tasks[0].splits["train"].path)
    tokens = bytearray((path / "inputs.tokens").read_bytes())
    tokens[40] ^= 1
    (path / "inputs.tokens").write_bytes(tokens)
    with pytest.raises(DamagedStoreError, match=r"inputs\.tokens does not match its checksum"):
        prepare_worker.prepare(request, quiet=True)


def test_a_full_disk_is_explained_and_leaves_nothing(make_request, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(token_store._Writer, "add", full)
    request = make_request(mixture=("declared_labels",))
    with pytest.raises(T5MixError, match=r"No space left.*iB free"):
        prepare_worker.prepare(request, quiet=True)
    assert not files_of(Path(request.store_dir))


def test_what_crashed_writers_left_is_swept(make_request):
    request = make_request(mixture=("declared_labels",))
    path = Path(prepare_worker.prepare(request, quiet=True).tasks[0].splits["train"].path)
    old, new = (path.parent / f".{path.name}-{name}" for name in ("old", "new"))
    for draft in (old, new):
        draft.mkdir()
    os.utime(old, (1, 1))
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
    prepare_worker.prepare(request, quiet=True)
    assert not old.exists()
    assert new.exists()


def test_the_command_writes_the_manifest_or_the_error(make_request, tmp_path, monkeypatch):
    out = tmp_path / "out.json"

    def status(mixture: str) -> int:
        asked = io.StringIO(make_request(mixture=(mixture,)).to_json() + "\n")
        monkeypatch.setattr(prepare_worker, "_receive", lambda requests: requests.put(asked.readline()))
        return main(["--out", str(out), "--quiet"])

    assert status("declared_labels") == 0
    assert DataManifest.load(out).tasks[0].name == "declared_labels"
    assert status("nothing") == 2
    assert "Unknown task or mixture 'nothing'" in json.loads(out.read_text())["error"]


# Tasks registered by others ---------------------------------------------------------------------------

TEXTS = [f"text {number}" for number in range(50)]  # with the end, 10 of 7 bytes and 40 of 8


def _texts(split: str, shuffle_files: bool) -> tf.data.Dataset:
    texts = [] if split == "empty" else TEXTS
    return tf.data.Dataset.from_tensor_slices({name: tf.constant(texts, tf.string) for name in ("inputs", "targets")})


@seqio.map_over_dataset(num_seeds=1)
def _noisy(example, seed, chance=0.5):
    keep = tf.random.stateless_uniform([], seed) > chance
    return {**example, "inputs": tf.where(keep, example["inputs"], "nothing")}


def _failing(dataset):
    return dataset.map(lambda example: {"inputs": example["absent"]})


TOKENS = [seqio.preprocessors.tokenize, seqio.preprocessors.append_eos]


@pytest.fixture
def register():
    names = []

    def add(name, preprocessors, splits=SPLITS, vocabulary=None):
        feature = seqio.Feature(vocabulary or seqio.ByteVocabulary(extra_ids=4))
        seqio.TaskRegistry.add(
            name,
            source=seqio.FunctionDataSource(_texts, splits=splits),
            preprocessors=preprocessors,
            output_features={"inputs": feature, "targets": feature},
        )
        names.append(name)

    yield add
    for name in names:
        seqio.TaskRegistry.remove(name)


def test_a_random_preprocessor_is_noticed(register, make_request):
    register("own_plain", TOKENS)
    register("own_noisy", [_noisy, *TOKENS])
    request = make_request(mixture=("own_plain", "own_noisy"), vocabulary=None)
    manifest = prepare_worker.prepare(request, quiet=True)
    assert [task.random for task in manifest.tasks] == [False, True]
    assert manifest.vocabulary.kind == "bytes"


def test_the_vocabulary_of_a_registered_task_can_be_replaced(register, make_request, vocabulary_file):
    register("own_plain", TOKENS)
    manifest = prepare_worker.prepare(make_request(mixture=("own_plain", "declared_labels")), quiet=True)
    assert manifest.vocabulary.path == str(vocabulary_file)
    inputs, _ = open_store(Path(manifest.task("own_plain").splits["train"].path)).example(7)
    assert inputs.tolist() == Tokenizer(manifest.vocabulary).encode(TEXTS[7])
    register("own_other", TOKENS, vocabulary=seqio.ByteVocabulary(extra_ids=5))
    with pytest.raises(T5MixError, match="must share one vocabulary"):
        prepare_worker.prepare(make_request(mixture=("own_plain", "own_other"), vocabulary=None), quiet=True)


def test_trimming_before_the_end_is_counted_too(register, make_request):
    register("own_trimmed", [seqio.preprocessors.tokenize, seqio.preprocessors.append_eos_after_trim])
    register("own_whole", TOKENS)
    manifest = prepare_worker.prepare(
        make_request(mixture=("own_trimmed", "own_whole"), vocabulary=None, inputs_length=7, targets_length=7),
        quiet=True,
    )
    trimmed, whole = (open_store(Path(task.splits["train"].path)) for task in manifest.tasks)
    assert trimmed.counts == whole.counts
    assert trimmed.counts.truncated_inputs == 40
    assert np.array_equal(trimmed.inputs, whole.inputs)


@pytest.mark.parametrize(
    ("preprocessors", "splits", "said"),
    [
        ([_failing], SPLITS, r"Task 'own_wrong', split 'train': its source or preprocessing failed with KeyError"),
        ([], SPLITS, "inputs are string of rank 0, where a row of token ids is needed"),
        (TOKENS, ("empty",), "holds no examples: its size is 0"),
    ],
)
def test_wrong_tasks_are_named(register, make_request, preprocessors, splits, said):
    register("own_wrong", preprocessors, splits)
    request = make_request(mixture=("own_wrong",), vocabulary=None, splits=splits[:1])
    with pytest.raises(T5MixError, match=said):
        prepare_worker.prepare(request, quiet=True)


def test_targets_without_an_end_are_warned_of(register, make_request, caplog):
    register("own_endless", [seqio.preprocessors.tokenize])
    prepare_worker.prepare(make_request(mixture=("own_endless",), vocabulary=None), quiet=True)
    assert "50 of 50 targets lack the end of the sequence" in caplog.text


def test_a_declared_name_must_be_free(register, make_request, declared):
    register("own_plain", TOKENS)
    register("own_other", TOKENS)
    tasks = {"own_plain": declared["declared_labels"]}
    assert isinstance(load_tasks(make_request(mixture=("own_plain",), declared=tasks)).tasks[0], DeclaredTask)
    request = make_request(mixture=("own_other", "own_plain"), declared=tasks)
    with pytest.raises(T5MixError, match="'own_plain' has the name of a registered one"):
        load_tasks(request)


def test_arguments_and_code_of_preprocessors_count(register, make_request):
    def path(chance: float) -> str:
        name = f"own_{round(10 * chance)}"
        register(name, [functools.partial(_noisy, chance=chance), *TOKENS])
        spec = SplitSpec(seqio_task.SeqioTask(seqio.TaskRegistry.get(name)), "train", 48, 24)
        _, description = spec.folder(Path("/stores"), 1)
        return json.dumps(description["preprocessors"])

    first = path(0.4)
    assert first != path(0.6)
    assert first == first.replace("0.6", "0.4")


def test_metrics_that_score_likelihoods_are_noticed(register, make_request):
    register("own_plain", TOKENS)
    task = seqio.TaskRegistry.get("own_plain")

    def of_predictions(targets, predictions):
        return {"accuracy": 0.0}

    def of_scores(targets, scores):
        return {"likelihood": 0.0}

    assert not seqio_task.needs_likelihoods(task.replace(metric_fns=[of_predictions]))
    assert seqio_task.needs_likelihoods(task.replace(metric_fns=[of_predictions, of_scores]))


def test_the_tasks_that_settings_name_must_be_those_of_the_mixture(make_request, tmp_path):
    request = make_request()
    names = [task.name for task in load_tasks(request).tasks]
    prepare_worker.prepare(dataclasses.replace(request, named_tasks=tuple(names)), quiet=True)
    fresh = dataclasses.replace(request, store_dir=str(tmp_path / "fresh"))
    with pytest.raises(T5MixError, match=f"Unknown task of the mixture 'x{names[0]}'"):
        prepare_worker.prepare(dataclasses.replace(fresh, named_tasks=(*names, f"x{names[0]}")), quiet=True)
    if len(names) > 1:
        with pytest.raises(T5MixError, match=f"say nothing of {names[-1]}"):
            prepare_worker.prepare(dataclasses.replace(fresh, named_tasks=tuple(names[:-1])), quiet=True)
    assert not (tmp_path / "fresh").exists()
