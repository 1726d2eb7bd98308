"""Plain data to configured objects and back, and the sentences about what is wrong."""

from collections.abc import Mapping
from typing import Any

import pytest

from t5mix import registry as registry_module
from t5mix.configurable import configurable
from t5mix.errors import T5MixError
from t5mix.registry import Registry, registry_of
from t5mix.validation import to_plain, validate


class Shape:
    """A base."""


SHAPES: Registry[Shape] = Registry("shape", base=Shape)
registry_module._REGISTRIES.remove(SHAPES)


@SHAPES.register("dot")
@configurable
class Dot(Shape):
    size: int = 1


@SHAPES.register("ring")
@configurable
class Ring(Shape):
    around: Shape = Dot()
    width: float = 1.0

    def __post_init__(self) -> None:
        if self.width <= 0:
            raise ValueError(f"width is {self.width}: it must be above 0")


@SHAPES.register("group")
@configurable
class Group(Shape):
    shapes: tuple[Shape, ...]
    label: str | None = None


@configurable
class Layer:
    opacity: float = 1.0
    mask: Shape | None = None


@configurable
class Picture:
    main: Shape
    layers: Mapping[str, Layer]
    last: tuple[Layer, ...] = ()


@pytest.fixture(autouse=True)
def shapes(monkeypatch: pytest.MonkeyPatch) -> Registry[Shape]:
    """The registry of shapes, known to validation for the length of a test."""
    monkeypatch.setattr(registry_module, "_REGISTRIES", [*registry_module._REGISTRIES, SHAPES])
    monkeypatch.setattr(SHAPES, "_classes", dict(SHAPES._classes))
    return SHAPES


def message_of(type_: Any, raw: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(T5MixError) as caught:
        validate(type_, raw, *arguments, **named)
    return str(caught.value)


NESTED = {"kind": "ring", "around": {"kind": "group", "shapes": ["dot", {"kind": "dot", "size": 3}]}, "width": 2}


def test_a_kind_is_read_alone_or_with_settings_and_within_others():
    assert validate(Shape, "dot") == Dot()
    assert validate(Shape, {"kind": "dot", "size": 2}) == Dot(size=2)
    assert validate(Shape, NESTED) == Ring(around=Group(shapes=(Dot(), Dot(size=3))), width=2.0)
    picture = validate(Picture, {"main": "dot", "layers": {"a": {"mask": NESTED}}, "last": [{"mask": None}]})
    assert picture.layers["a"].mask == validate(Shape, NESTED)
    assert picture.last == (Layer(),)


def test_reading_changes_nothing():
    raw = {"kind": "dot", "size": 2}
    validate(Shape, raw)
    assert raw == {"kind": "dot", "size": 2}


def test_plain_data_are_read_back():
    shape = validate(Shape, NESTED)
    plain = {
        "kind": "ring",
        "around": {"kind": "group", "shapes": [{"kind": "dot", "size": 1}, {"kind": "dot", "size": 3}], "label": None},
        "width": 2.0,
    }
    assert to_plain(shape) == plain
    assert list(to_plain(shape)) == ["kind", "around", "width"]
    assert validate(Shape, plain) == shape
    picture = Picture(main=shape, layers={"a": Layer(mask=Dot())})
    assert to_plain(picture)["layers"] == {"a": {"opacity": 1.0, "mask": {"kind": "dot", "size": 1}}}
    assert validate(Picture, to_plain(picture)) == picture


def test_a_kind_that_is_registered_later_is_read(shapes: Registry[Shape]):
    assert "Unknown shape 'star'" in message_of(Picture, {"main": "star", "layers": {}})

    @shapes.register("star")
    @configurable
    class Star(Shape):
        points: int = 5

    assert validate(Picture, {"main": {"kind": "star", "points": 6}, "layers": {}}).main == Star(points=6)
    assert registry_of(Star) is shapes


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("dott", "Unknown shape 'dott'. Did you mean 'dot'?"),
        ({"kind": 7}, "Unknown shape '7'. Known: dot, group, ring."),
        ({"size": 7}, "at.kind is not set. Known: dot, group, ring."),
        (7, "at is 7: input should be a valid dictionary."),
        ({"kind": "dot", "siez": 2}, "Unknown configuration key 'at.siez'. Did you mean at.size?"),
        ({"kind": "dot", "zzz": 2}, "Unknown configuration key 'at.zzz'. Known: size."),
        ({"kind": "dot", "size": "x"}, "at.size is 'x': input should be a valid integer, unable to parse string as an"),
        ({"kind": "group"}, "at.shapes is not set, and it has no default."),
        ({"kind": "ring", "width": 0}, "width is 0.0: it must be above 0."),
        ({"kind": "ring", "around": {"kind": "dot", "siez": 2}}, "'at.around.siez'. Did you mean at.around.size?"),
        ({"kind": "group", "shapes": ["dot", 3]}, "at.shapes.1 is 3: input should be a valid dictionary."),
        ({"kind": "group", "shapes": ["dot", {"kind": "ring", "widht": 1}]}, "Did you mean at.shapes.1.width?"),
        (
            {"kind": "dot", "width": 2},
            "Unknown configuration key 'at.width'. It is a setting of ring, not of dot: choose another at, leave the "
            "setting out, or write ~at.width where a file has it.",
        ),
    ],
)
def test_what_is_wrong_with_a_kind_is_named(raw: Any, message: str):
    assert message in message_of(Shape, raw, "at")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"layers": {}}, "main is not set, and it has no default."),
        ({"main": "dot", "layers": {"a": {"opacty": 1}}}, "key 'layers.a.opacty'. Did you mean layers.a.opacity?"),
        ({"main": "dot", "layers": {"a": {"mask": {"kind": "dot", "sizes": 1}}}}, "Did you mean layers.a.mask.size?"),
        ({"main": "dot", "layers": {}, "last": [{}, {"opacty": 1}]}, "Did you mean last.1.opacity?"),
        ({"main": "dot", "layers": {}, "layer": 1}, "Unknown configuration key 'layer'. Did you mean layers?"),
    ],
)
def test_the_place_and_the_nearest_setting_are_found_within_mappings_and_tuples(raw: Any, message: str):
    assert message in message_of(Picture, raw)


def test_every_problem_is_a_line():
    message = message_of(Picture, {"main": "dott", "layers": {"a": {"opacity": "x", "o": 1}}})
    assert len(message.splitlines()) == 3


def test_a_file_is_named_in_front():
    message = message_of(Picture, {"main": "dot", "layer": {}}, source="a.yaml")
    assert message.splitlines() == [
        "a.yaml: layers is not set, and it has no default.",
        "a.yaml: unknown key 'layer'. Did you mean layers?",
    ]


def test_old_names_are_told_their_new_ones():
    renamed = {"at.extent": "size", "at=point": "dot"}
    assert message_of(Shape, {"kind": "dot", "extent": 1}, "at", renamed=renamed) == (
        "Unknown configuration key 'at.extent'. It is called at.size now."
    )
    within = {"kind": "ring", "around": {"kind": "dot", "extent": 1}}
    assert message_of(Shape, within, "at", renamed=renamed).endswith("It is called at.around.size now.")
    message = message_of(Picture, {"main": "dot", "layers": {"a": {"alpha": 1}}}, renamed={"alpha": "opacity"})
    assert message == "Unknown configuration key 'layers.a.alpha'. It is called layers.a.opacity now."
    assert message_of(Shape, "point", "at", renamed=renamed) == "Unknown shape 'point'. It is called dot now."


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"opacity": float("nan")}, "layers.sky.opacity is nan, which is not a number"),
        ({"mask": {"kind": "dot", "size": 1 << 63}}, "layers.sky.mask.size is 9223372036854775808, which does not fit"),
    ],
)
def test_numbers_that_no_setting_takes_are_refused_wherever_they_are(layer: dict[str, Any], message: str):
    with pytest.raises(T5MixError, match=f"^{message}"):
        validate(Picture, {"main": "dot", "layers": {"sky": layer}})
    assert validate(Ring, {"width": float("inf")}).width == float("inf")
