import pytest

from t5mix import metrics
from t5mix.cache.seqio_task import SeqioTask
from t5mix.errors import T5MixError
from t5mix.tensorflow_setup import seqio


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "glue/sst2:2.0.0",
            r"the data set glue/sst2/2\.0\.0 is not prepared; it was looked for in {}/glue/",
        ),
        ("glue_of_nobody:1.0.0", r"TFDS cannot load the data set glue_of_nobody:1\.0\.0 \(DatasetNotFoundError"),
    ],
)
def test_a_data_set_that_is_not_prepared_is_named(name: str, said: str, tmp_path):
    feature = seqio.Feature(seqio.ByteVocabulary())
    source = seqio.TfdsDataSource(name, tfds_data_dir=str(tmp_path))
    task = seqio.Task("sst", source, {"inputs": feature, "targets": feature}, preprocessors=[])
    with pytest.raises(T5MixError, match=f"Task 'sst': {said.format(tmp_path)}"):
        SeqioTask(task)
    assert list(tmp_path.iterdir()) == []


def test_choices_need_declared_labels():
    feature = seqio.Feature(seqio.ByteVocabulary())
    source = seqio.FunctionDataSource(lambda split, shuffle_files, seed=None: None, splits=["validation"])
    options = {"output_features": {"inputs": feature, "targets": feature}, "preprocessors": []}
    fns = [metrics.accuracy, metrics.choice_accuracy]
    with pytest.raises(
        T5MixError, match="Task 'toy': the metric 'choice_accuracy' chooses among labels, which tasks in"
    ):
        SeqioTask(seqio.Task("toy", source, metric_fns=fns, **options))
    SeqioTask(seqio.Task("toy", source, metric_fns=[metrics.accuracy, metrics.perplexity], **options))
