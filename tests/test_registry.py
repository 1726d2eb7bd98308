import pytest

from t5mix import registry as registry_module
from t5mix.errors import T5MixError, UnknownNameError, nearest
from t5mix.registry import Registry, registry_of


def test_registers_and_finds():
    registry: Registry[object] = Registry("thing")

    @registry.register("first")
    class First:
        pass

    assert registry["first"] is First
    assert registry.kind_of(First()) == "first"
    assert list(registry) == ["first"]
    assert "first" in registry
    assert "second" not in registry


def test_unknown_kind_offers_the_nearest():
    registry: Registry[object] = Registry("mixing strategy")
    registry.register("temperature")(type("A", (), {}))
    with pytest.raises(UnknownNameError, match=r"Unknown mixing strategy 'temprature'\. Did you mean 'temperature'"):
        registry["temprature"]


def test_a_kind_is_taken_once():
    registry: Registry[object] = Registry("thing")
    registry.register("first")(type("A", (), {}))
    with pytest.raises(T5MixError, match="Two classes want to be the thing 'first'"):
        registry.register("first")(type("B", (), {}))


def test_unregistered_class_has_no_kind():
    with pytest.raises(T5MixError, match="int is not registered as a thing"):
        Registry("thing").kind_of(1)


def test_nearest():
    assert nearest("sst", ["sst2", "cola", "squad"])[0] == "sst2"
    assert nearest("zzz", ["sst2"]) == []


def test_a_class_inherits_from_the_base(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry_module, "_REGISTRIES", [])

    class Thing:
        pass

    registry: Registry[Thing] = Registry("thing", base=Thing)
    own = registry.register("own")(type("Own", (Thing,), {}))
    assert registry_of(Thing) is registry
    assert registry_of(own) is registry
    assert registry_of(int) is None
    with pytest.raises(T5MixError, match=r"Other cannot be the thing 'other': let it inherit from .*Thing"):
        registry.register("other")(type("Other", (), {}))
    assert list(registry) == ["own"]
