import pytest

from t5mix.errors import T5MixError
from t5mix.finetuning.paths import match_paths

PATHS = [
    "encoder/blocks/0/attention/query/kernel",
    "encoder/blocks/1/attention/query/kernel",
    "encoder/final_norm/scale",
]


def test_match_takes_whole_paths():
    assert match_paths([r"encoder/blocks/\d+/.*"], PATHS) == set(PATHS[:2])
    assert match_paths([r".*/scale", r".*blocks/0.*"], PATHS) == {PATHS[0], PATHS[2]}


@pytest.mark.parametrize("pattern", ["encoder", "decoder/.*"])
def test_a_pattern_without_a_match_is_an_error(pattern: str):
    with pytest.raises(T5MixError, match="matches no parameter"):
        match_paths([pattern], PATHS)


def test_a_broken_pattern_is_an_error():
    with pytest.raises(T5MixError, match="no regular expression"):
        match_paths(["("], PATHS)
