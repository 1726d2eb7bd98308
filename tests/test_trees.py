import pytest

from t5mix import trees
from t5mix.errors import T5MixError

PATHS = [
    "encoder/blocks/0/attention/query/kernel",
    "encoder/blocks/1/attention/query/kernel",
    "encoder/final_norm/scale",
]


def test_match_takes_whole_paths():
    assert trees.match([r"encoder/blocks/\d+/.*"], PATHS) == set(PATHS[:2])
    assert trees.match([r".*/scale", r".*blocks/0.*"], PATHS) == {PATHS[0], PATHS[2]}


@pytest.mark.parametrize("pattern", ["encoder", "decoder/.*"])
def test_a_pattern_without_a_match_is_an_error(pattern: str):
    with pytest.raises(T5MixError, match="matches no parameter"):
        trees.match([pattern], PATHS)


def test_a_broken_pattern_is_an_error():
    with pytest.raises(T5MixError, match="no regular expression"):
        trees.match(["("], PATHS)


def test_split_and_merge_are_inverse():
    tree = dict(zip(sorted(PATHS), range(3), strict=True))
    chosen, others = trees.split(tree, lambda path: path.endswith("scale"))
    assert list(chosen) == [PATHS[2]]
    assert trees.merge(others, chosen) == tree


def test_merge_refuses_what_stands_twice():
    with pytest.raises(ValueError, match="in two of the trees: a"):
        trees.merge({"a": 1}, {"a": 2})
