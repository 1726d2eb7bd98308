"""Streamed tasks: sources that are read shard by shard, as preparing them sees it."""

import json
from pathlib import Path
from typing import Any

import pytest

from t5mix.cache import file_identity, materialize, prepare_worker
from t5mix.cache.declared_task import DeclaredTask
from t5mix.cache.prepare_worker import prepare_shard
from t5mix.cache.run_task import SplitSpec
from t5mix.cache.run_tasks import load_tasks
from t5mix.data.manifest import DataManifest, DataRequest, TaskEntry
from t5mix.data.stream import source_shard_of
from t5mix.data.token_store import open_store
from t5mix.data.tokenizer import Tokenizer
from t5mix.errors import T5MixError
from t5mix.sources.declaration import task_declaration
from t5mix.sources.file_readers import files_of
from t5mix.sources.seqio_sources import TextDataSource
from t5mix.tensorflow_setup import seqio, tf

LINES = (10, 20, 30, 15)  # of each file
TOKENS = [seqio.preprocessors.tokenize, seqio.preprocessors.append_eos]


@pytest.fixture
def corpus(tmp_path: Path, data_files: dict[str, str]) -> dict[str, Any]:
    """Declared tasks over four files: one plain, one of span corruption."""
    for number, lines in enumerate(LINES):
        texts = [f"{number} The river opens the stone near window {index}." for index in range(lines)]
        rows = [f"{text}\t{index % 2}" for index, text in enumerate(texts)]
        (tmp_path / f"part-{number}.tsv").write_text("\n".join(["sentence\tlabel", *rows]) + "\n", encoding="utf-8")
        (tmp_path / f"part-{number}.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    labels = {"train": str(tmp_path / "part-*.tsv"), "validation": data_files["labels_validation"]}
    texts = {"train": [str(tmp_path / "part-[01].txt"), str(tmp_path / "part-2.txt"), str(tmp_path / "part-3.txt")]}
    return {
        "plain": {"files": labels, "inputs": "{sentence}", "targets": "label", "labels": {"0": "no", "1": "yes"}},
        "noisy": {"files": texts, "objective": "span_corruption"},
    }


@pytest.fixture
def ask(make_request, corpus):
    """Returns a maker of requests for streamed tasks of the corpus."""

    def make(*tasks: str, **changes: Any) -> DataRequest:
        fields = {"mixture": tasks, "declared": corpus, "streamed": dict.fromkeys(tasks)}
        return make_request(**{**fields, **changes})

    return make


def texts_of(request: DataRequest, manifest: DataManifest, shard: int) -> list[str]:
    tokenizer, name = Tokenizer(manifest.vocabulary), manifest.tasks[0].name
    path = prepare_shard(request, name, shard, quiet=True)
    assert path == manifest.tasks[0].path("train", shard)
    store = open_store(path)
    return [tokenizer.decode(store.example(index)[0]) for index in range(len(store))]


def test_the_shards_of_an_epoch_are_the_files(ask):
    request = ask("plain")
    manifest = prepare_worker.prepare(request, quiet=True)
    assert (manifest.tasks[0].shards_per_epoch, manifest.tasks[0].random) == (4, False)
    for epoch in (0, 1):
        found = [texts_of(request, manifest, 4 * epoch + place) for place in range(4)]
        numbers = [int(texts[0][0]) for texts in found]
        assert numbers == [source_shard_of(request.seed, "plain", 4 * epoch + place, 4) for place in range(4)]
        assert sorted(numbers) == [0, 1, 2, 3]
        assert [len(texts) for texts in found] == [LINES[number] for number in numbers]
        assert all({text[0] for text in texts} == {str(number)} for number, texts in zip(numbers, found, strict=True))
    assert len(open_store(manifest.tasks[0].path("validation"))) == 20


def test_a_random_task_draws_each_shard_anew_and_again_alike(ask, tmp_path):
    request = ask("noisy", splits=("train",))
    manifest = prepare_worker.prepare(request, quiet=True)
    assert (manifest.tasks[0].shards_per_epoch, manifest.tasks[0].random) == (4, True)
    source_shards = [source_shard_of(request.seed, "noisy", shard, 4) for shard in range(8)]
    again = 4 + source_shards[4:].index(source_shards[1])
    first, second = texts_of(request, manifest, 1), texts_of(request, manifest, again)
    assert len(first) == len(second)
    assert first != second
    elsewhere = ask("noisy", splits=("train",), store_dir=str(tmp_path / "else"))
    assert texts_of(elsewhere, prepare_worker.prepare(elsewhere, quiet=True), 1) == first


def test_the_size_is_estimated_by_bytes_and_said(ask, caplog, tmp_path):
    request = ask("plain")
    entry = prepare_worker.prepare(request, quiet=True).tasks[0].splits["train"]
    sizes = [(tmp_path / f"part-{number}.tsv").stat().st_size for number in range(4)]
    first = source_shard_of(request.seed, "plain", 0, 4)
    assert entry.estimated
    assert entry.counts.examples == round(LINES[first] * sum(sizes) / sizes[first])
    assert entry.counts.examples == pytest.approx(sum(LINES), rel=0.1)
    counts = open_store(prepare_worker.prepare(request, quiet=True).tasks[0].path("train")).counts
    mean = counts.input_tokens / counts.examples
    assert entry.counts.input_tokens / entry.counts.examples == pytest.approx(mean, rel=0.01)
    assert entry.counts.longest_input == counts.longest_input
    assert "plain is read in 4 shards. Its size, " in caplog.text
    assert "streamed.plain=NUMBER" in caplog.text


def test_a_size_that_is_given_is_taken(ask, caplog, tmp_path):
    manifest = prepare_worker.prepare(ask("plain", streamed={"plain": 75}), quiet=True)
    entry = manifest.tasks[0].splits["train"]
    assert (entry.counts.examples, entry.estimated) == (75, False)
    assert "estimate" not in caplog.text
    manifest.save(tmp_path / "data_manifest.json")
    assert DataManifest.load(tmp_path / "data_manifest.json") == manifest
    with pytest.raises(T5MixError, match=r"streamed\.plain is 5, and its first shard alone holds \d+"):
        prepare_worker.prepare(ask("plain", streamed={"plain": 5}), quiet=True)


def test_a_second_time_runs_no_task_and_reads_no_file(ask, monkeypatch):
    request = ask("plain", "noisy", splits=("train",))
    monkeypatch.setattr(file_identity, "_content", lambda *_: pytest.fail("a file was hashed"))
    first = prepare_worker.prepare(request, quiet=True)
    monkeypatch.setattr(DeclaredTask, "batches", lambda *_: pytest.fail("the task's code ran again"))
    assert prepare_worker.prepare(request, quiet=True) == first
    assert first.stores_exist()


def test_a_changed_file_gives_other_shards(ask, tmp_path):
    request = ask("plain")
    before = prepare_worker.prepare(request, quiet=True).tasks[0].splits["train"].path
    with open(tmp_path / "part-2.tsv", "a") as file:
        file.write("One more.\t1\n")
    assert prepare_worker.prepare(request, quiet=True).tasks[0].splits["train"].path != before


def test_a_file_is_checked_when_its_shard_is_made(ask, tmp_path):
    request = ask("plain")
    bad = source_shard_of(request.seed, "plain", 2, 4)
    with open(tmp_path / f"part-{bad}.tsv", "a") as file:
        file.write("One more.\t7\n")
    prepare_worker.prepare(request, quiet=True)
    with pytest.raises(T5MixError, match=rf"part-{bad}\.tsv, line {LINES[bad] + 2}: label is '7'"):
        prepare_shard(request, "plain", 2, quiet=True)
    with pytest.raises(T5MixError, match=rf"part-{bad}\.tsv, line"):  # not streamed, all are checked beforehand
        prepare_worker.prepare(ask("plain", streamed={}), quiet=True)


def test_what_cannot_be_streamed_is_refused(ask, declared, make_request):
    with pytest.raises(T5MixError, match=r"Unknown task 'plian'\. Did you mean 'plain'"):
        prepare_worker.prepare(ask("plain", streamed={"plian": None}), quiet=True)
    request = make_request(mixture=("declared_labels",), streamed={"declared_labels": None})
    with pytest.raises(T5MixError, match=r"'declared_labels' cannot be streamed.*as a whole.*split -n"):
        prepare_worker.prepare(request, quiet=True)
    assert not Path(request.store_dir).exists()


def test_without_streaming_the_files_are_one_split(ask):
    manifest = prepare_worker.prepare(ask("plain", "noisy", streamed={}), quiet=True)
    assert manifest.tasks[0].splits["train"].counts.examples == sum(LINES)
    assert [task.shards_per_epoch for task in manifest.tasks] == [1, 1]


@pytest.fixture
def register():
    names = []

    def add(name: str, source: Any, preprocessors: list[Any]) -> None:
        feature = seqio.Feature(seqio.ByteVocabulary(extra_ids=4))
        features = {"inputs": feature, "targets": feature}
        seqio.TaskRegistry.add(name, source=source, preprocessors=preprocessors, output_features=features)
        names.append(name)

    yield add
    for name in names:
        seqio.TaskRegistry.remove(name)


def test_files_that_others_declare_are_streamed_too_and_may_come_out_empty(register, make_request, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(f"{number} a\n{number} b\n")
    seed = 3
    dropped = str(source_shard_of(seed, "own_lines", 1, 3))

    def kept(dataset):
        return dataset.filter(lambda line: tf.logical_not(tf.strings.regex_full_match(line, f"{dropped}.*")))

    both = lambda dataset: dataset.map(lambda line: {"inputs": line, "targets": line})  # noqa: E731
    register("own_lines", seqio.TextLineDataSource({"train": str(tmp_path / "?.txt")}), [kept, both, *TOKENS])
    request = make_request(mixture=("own_lines",), vocabulary=None, streamed={"own_lines": None}, seed=seed)
    entry: TaskEntry = prepare_worker.prepare(request, quiet=True).tasks[0]
    assert entry.shards_per_epoch == 3
    sizes = [len(open_store(prepare_shard(request, "own_lines", shard, quiet=True))) for shard in range(3)]
    assert sizes == [2, 0, 2]


def test_a_source_without_shards_is_refused(register, make_request):
    read = lambda split, shuffle_files: tf.data.Dataset.from_tensors({"inputs": "a", "targets": "b"})  # noqa: E731
    register("own_function", seqio.FunctionDataSource(read, splits=["train"]), TOKENS)
    request = make_request(mixture=("own_function",), vocabulary=None, streamed={"own_function": None})
    with pytest.raises(T5MixError, match="FunctionDataSource reads split 'train' as a whole"):
        prepare_worker.prepare(request, quiet=True)


def test_a_sources_files_are_its_shards(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text(f"{number}\n")
    source = TextDataSource({"train": [tmp_path / "2.txt", str(tmp_path / "[013].txt")]})
    assert [Path(source_shard).stem for source_shard in source.list_shards("train")] == ["2", "0", "1", "3"]

    def read(source_shards: int, index: int) -> list[str]:
        dataset = source.get_dataset("train", shuffle=False, shard_info=seqio.ShardInfo(index, source_shards))
        return [row["text"].decode() for row in dataset.as_numpy_iterator()]

    assert [read(4, index) for index in range(4)] == [["2"], ["0"], ["1"], ["3"]]
    assert [read(2, index) for index in range(2)] == [["2", "1"], ["0", "3"]]
    with pytest.raises(T5MixError, match=r"No file matches .*none\*"):
        files_of(tmp_path / "none*")


def test_a_pattern_needs_a_clear_format():
    task = {"inputs": "{a}", "targets": "b"}
    with pytest.raises(T5MixError, match=r"format of part-\* is not clear"):
        task_declaration("mine", {**task, "files": {"train": ["a.tsv", "part-*"]}})
    task_declaration("mine", {**task, "files": {"train": "part-*"}, "format": "jsonl"})


def test_a_full_disk_suggests_streaming(ask, monkeypatch):
    error = OSError(28, "No space left on device")
    request = ask("plain")
    streamed = prepare_worker.split_spec_of(request, load_tasks(request).tasks[0], "train")
    whole = SplitSpec(streamed.task, "train", 48, 24)
    assert "streamed=[plain]" in materialize._no_room(whole, Path("/tmp/x"), error)
    assert "streamed" not in materialize._no_room(streamed, Path("/tmp/x"), error)
    refused = materialize._no_room(whole, Path("/tmp/x"), OSError(13, "Permission denied"))
    assert refused == "The token store cannot be written: Permission denied. Folder /tmp. Set another store_dir."


def test_requests_for_streamed_tasks_survive_json(ask):
    request = ask("plain", streamed={"plain": 7, "noisy": None})
    assert DataRequest.from_json(request.to_json()).streamed == {"plain": 7, "noisy": None}
    assert json.loads(request.to_json())["streamed"] == {"noisy": None, "plain": 7}
