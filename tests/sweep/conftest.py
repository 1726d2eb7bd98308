"""What the tests of sweeps share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(scope="package", autouse=True)
def _trace_each_model_once() -> Iterator[None]:
    """Each plan asks for the parameters of its policies' models, which takes half a second for the default model."""
    from t5mix.runs import build_engine

    trace, traced = build_engine.abstract_model, dict[Any, Any]()

    def trace_once(model: Any, adapt: Callable[..., Any]) -> Any:
        key = model, adapt.__self__  # type: ignore[attr-defined]
        if key not in traced:
            traced[key] = trace(model, adapt)
        return traced[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_engine, "abstract_model", trace_once)
        yield
