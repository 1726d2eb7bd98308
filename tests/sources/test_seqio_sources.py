import pytest

from t5mix.errors import T5MixError
from t5mix.sources.seqio_sources import JsonLinesDataSource, TextDataSource, TsvDataSource


def test_tsv_and_json_lines_give_tensors(data_files):
    labels = TsvDataSource({"train": data_files["labels_train"]}, fields=["label"])
    assert [row["label"] for row in labels.get_dataset("train", shuffle=False).as_numpy_iterator()][:3] == [
        b"0",
        b"1",
        b"0",
    ]
    assert labels.num_input_examples("train") == 60
    questions = JsonLinesDataSource({"train": data_files["answers_train"]})
    first = next(questions.get_dataset("train", shuffle=False).as_numpy_iterator())
    assert first["answers"].tolist()[1] == b"stone"
    assert first["question"].startswith(b"The ")


def test_shuffling_follows_its_seed(data_files):
    source = TextDataSource({"train": data_files["text_train"]})
    orders = [[row["text"] for row in source.get_dataset("train", seed=seed).as_numpy_iterator()] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_files_without_examples_are_no_shards(tmp_path):
    for name, content in (
        ("a", "text\tlabel\n"),
        ("b", "text\tlabel\nx\t1\n"),
        ("c", ""),
        ("d", "text\tlabel\ny\t0\n"),
    ):
        (tmp_path / f"{name}.tsv").write_text(content)
    source = TsvDataSource({"train": str(tmp_path / "*.tsv"), "none": str(tmp_path / "[ac].tsv")})
    assert [path[-5:] for path in source.list_shards("train")] == ["b.tsv", "d.tsv"]
    assert source.num_input_examples("train") == 2
    with pytest.raises(T5MixError, match=r"a\.tsv holds no examples"):
        source.num_input_examples("none")


def test_nothing_is_read_before_the_data_set_is_asked_for(tmp_path):
    source = TsvDataSource({"train": tmp_path / "none.tsv"})
    assert source.splits == ("train",)
    with pytest.raises(T5MixError, match="There is no file"):
        source.get_dataset("train")
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(T5MixError, match="holds no text"):
        TextDataSource({"train": tmp_path / "empty.txt"}).get_dataset("train")
