import os
import subprocess
import sys

import pytest

from t5mix.data.preparation import EpochPreparer, prepare_in_child
from t5mix.data.store import open_store
from t5mix.errors import T5MixError


def test_a_child_prepares_and_the_epochs_follow(make_request):
    """One test for the whole life of a run's data, as each child takes seconds to load TensorFlow."""
    request = make_request()
    lock = prepare_in_child(request, quiet=True)
    assert [task.random for task in lock.tasks] == [False, False, True]
    with EpochPreparer(lock) as preparer:
        with pytest.raises(T5MixError, match="has one store for all epochs"):
            preparer.request_epoch("declared_labels", 1)
        assert preparer.wait("declared_text", 0) == preparer.path("declared_text", 0)
        preparer.request_epoch("declared_text", 1)
        preparer.request_epoch("declared_text", 1)
        path = preparer.wait("declared_text", 1)
        assert len(open_store(path)) == lock.task("declared_text").splits["train"].counts.examples
        preparer.request_epoch("declared_text", 2)  # under way when the preparer closes
    assert not preparer.path("declared_text", 2).exists()
    assert not list(path.parent.glob(".*"))
    with pytest.raises(T5MixError, match="closed"):
        preparer.request_epoch("declared_text", 3)


def test_the_childs_error_comes_back_word_for_word(make_request):
    with pytest.raises(T5MixError, match=r"Unknown task or mixture 'declared_label'\. Did you mean 'declared_labels'"):
        prepare_in_child(make_request(mixture=("declared_label",)), quiet=True)


def test_preparing_needs_no_tensorflow_here():
    code = (
        "import sys, t5mix.data.preparation, t5mix.data.text, t5mix.data.declared, t5mix.data.vocabulary_training;"
        "print([name for name in sys.modules if name.split('.')[0] in ('tensorflow', 'seqio', 'jax')])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.strip() == "[]"
