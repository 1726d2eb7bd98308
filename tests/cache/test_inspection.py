from t5mix.cache.inspection import inspect_task


def test_what_a_model_will_see(make_request):
    view = inspect_task(make_request(inputs_length=12), "declared_answers", "train", count=2, sample=30)
    assert (view.random, view.examined, view.metrics) == (False, 30, ("squad",))
    first = view.examples[0]
    assert first.inputs.text is not None
    assert first.inputs.text.startswith("question: The ")
    assert first.inputs.truncated
    assert len(first.inputs.ids) == len(first.inputs.pieces) == 12 < first.inputs.length
    assert first.inputs.pieces[-1] == "</s>"
    assert first.inputs.text.startswith(first.inputs.decoded[:10])
    assert first.targets.decoded == first.targets.text
    assert first.fields["answers"].endswith(", stone]")
    assert view.inputs.min <= view.inputs.p50 <= view.inputs.p95 <= view.inputs.max
    assert view.inputs.truncated == 1.0
    assert view.targets.truncated == 0.0


def test_random_tasks_show_their_first_epoch(make_request):
    view = inspect_task(make_request(), "declared_text")
    assert view.random
    assert "<extra_id_0>" in view.examples[0].inputs.decoded
    assert view.inputs.p50 == 48
