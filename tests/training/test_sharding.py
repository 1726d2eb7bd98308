from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, PartitionSpec

from t5mix.errors import T5MixError
from t5mix.training import sharding
from t5mix.training.sharding import MeshConfig, param_shardings, state_shardings


class FakeDevice:
    platform = "cpu"


@pytest.fixture
def four_ways(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Rules need the mesh's shape alone: four ways of `fsdp` on one device."""

    class FakeMesh:
        shape = {"data": 2, "fsdp": 4}  # noqa: RUF012

    monkeypatch.setattr(sharding, "NamedSharding", lambda mesh, spec: spec)
    return FakeMesh()


def spec(path: str, shape: tuple[int, ...], mesh: Any) -> Any:
    return param_shardings({path: jax.ShapeDtypeStruct(shape, np.float32)}, mesh)[path]


@pytest.mark.parametrize(
    ("path", "shape", "expected"),
    [
        ("encoder/blocks/0/attention/query/kernel", (16, 32), PartitionSpec("fsdp", None)),
        ("encoder/blocks/0/attention/output/kernel", (32, 16), PartitionSpec(None, "fsdp")),
        ("decoder/blocks/1/cross_attention/output/kernel", (32, 16), PartitionSpec(None, "fsdp")),
        ("decoder/blocks/1/feed_forward/wi_0/kernel", (16, 32), PartitionSpec("fsdp", None)),
        ("decoder/blocks/1/feed_forward/wo/kernel", (32, 16), PartitionSpec(None, "fsdp")),
        ("output/kernel", (16, 64), PartitionSpec("fsdp", None)),
        ("token_embedding/embedding", (64, 16), PartitionSpec("fsdp", None)),
        ("encoder/relative_bias/embedding", (32, 4), PartitionSpec()),
        ("encoder/final_norm/scale", (16,), PartitionSpec()),
    ],
)
def test_each_parameter_has_its_place(four_ways: Any, path: str, shape: tuple[int, ...], expected: Any):
    assert spec(path, shape, four_ways) == expected


def test_the_model_dimension_is_the_one_that_is_split(four_ways: Any, tiny):
    from t5mix.model.t5 import abstract_model

    d_model = 4 * 7  # no other dimension of the model is a multiple of 7
    shapes = abstract_model(tiny.model_config(d_model=d_model))[1]
    specs: Any = param_shardings(shapes, four_ways)
    for path, leaf in shapes.items():
        if path == "token_embedding/embedding":
            assert specs[path] == PartitionSpec("fsdp", None)
        elif "relative_bias" in path or len(leaf.shape) == 1:
            assert specs[path] == PartitionSpec()
        else:
            assert leaf.shape[tuple(specs[path]).index("fsdp")] == d_model


@pytest.mark.parametrize("shape", [(18, 32), (2, 32)])
def test_what_does_not_divide_is_replicated(four_ways: Any, shape: tuple[int, ...]):
    assert spec("a/query/kernel", shape, four_ways) == PartitionSpec()


def test_optimizer_state_lies_with_its_parameter(four_ways: Any):
    params = {"a/query/kernel": jax.ShapeDtypeStruct((16, 32), np.float32)}
    state = {
        "count": jax.ShapeDtypeStruct((), np.int32),
        "mu": dict(params),
        "row": {"a/query/kernel": jax.ShapeDtypeStruct((16,), np.float32)},
    }
    found = state_shardings(state, params, four_ways)
    assert found["mu"]["a/query/kernel"] == PartitionSpec("fsdp", None)
    assert found["count"] == found["row"]["a/query/kernel"] == PartitionSpec()


def test_a_mesh_of_one_device():
    mesh = MeshConfig().build(rows=3)
    assert isinstance(mesh, Mesh)
    assert dict(mesh.shape) == {"data": 1, "fsdp": 1}
    assert mesh.axis_types == (AxisType.Auto, AxisType.Auto)


def test_all_devices_are_used_if_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sharding.jax, "devices", lambda: [FakeDevice()] * 6)
    monkeypatch.setattr(sharding, "Mesh", lambda grid, names, axis_types: grid)
    grid: Any = MeshConfig(data=-1, fsdp=3).build(rows=12)
    assert grid.shape == (2, 3)


@pytest.mark.parametrize(
    ("mesh", "rows", "message"),
    [
        (MeshConfig(data=7), 8, r"ask for 7 devices, and there are 6 \(cpu\)"),
        (MeshConfig(data=2, fsdp=4), 8, "mesh.data = 2 and mesh.fsdp = 4 ask for 8 devices, and there are 6"),
        (MeshConfig(data=-1, fsdp=8), 8, "ask for 8 devices, and there are 6"),
        (MeshConfig(data=3), 8, r"The 8 rows of a batch .* over 3 devices\. Make training\.batch_size a multiple of 3"),
    ],
)
def test_impossible_meshes_are_refused(monkeypatch: pytest.MonkeyPatch, mesh: MeshConfig, rows: int, message: str):
    monkeypatch.setattr(sharding.jax, "devices", lambda: [FakeDevice()] * 6)
    with pytest.raises(T5MixError, match=message):
        mesh.build(rows)


@pytest.mark.parametrize("settings", [{"fsdp": 0}, {"data": 0}, {"data": -2}])
def test_impossible_sizes_are_refused(settings: dict[str, int]):
    with pytest.raises(ValueError, match="both must be 1 or more"):
        MeshConfig(**settings)
