import contextlib
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t5mix.errors import T5MixError
from t5mix.interop.msgpack_index import Bytes, Extension, index_msgpack

leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
trees = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)


@settings(max_examples=50, deadline=None)
@given(trees)
def test_everything_but_bytes_is_read(tree: Any):
    assert index_msgpack(msgpack.packb(tree)) == tree


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 8, 16, 17, 255, 256, 65535, 65536])
def test_long_values_are_located_in_every_encoding(size: int):
    content = bytes(range(256)) * 256 + b"\0"
    packed = msgpack.packb({"ext": msgpack.ExtType(5, content[:size]), "bytes": content[:size], "text": "a" * size})
    assert packed is not None
    tree = index_msgpack(packed)
    assert isinstance(tree["ext"], Extension)
    assert tree["ext"].code == 5
    assert packed[tree["ext"].start : tree["ext"].end] == content[:size]
    assert isinstance(tree["bytes"], Bytes)
    assert packed[tree["bytes"].start : tree["bytes"].end] == content[:size]
    assert tree["text"] == "a" * size


@pytest.mark.parametrize("size", [15, 16, 65535, 65536])
def test_long_lists_and_mappings(size: int):
    tree = [list(range(size)), {str(i): i for i in range(size)}]
    assert index_msgpack(msgpack.packb(tree)) == tree


def test_a_file_that_is_cut_off_is_refused_wherever_it_ends():
    packed = msgpack.packb({"a": [1.5, "text", b"bytes"], "b": msgpack.ExtType(1, b"array"), "c": -70000})
    assert packed is not None
    for length in range(len(packed)):
        with pytest.raises(T5MixError, match="cut off"):
            index_msgpack(packed[:length])


@pytest.mark.parametrize("data", [b"\xc1", b"\x81\x80\x01", b"\x91" * 100_000, b"\xdd\xff\xff\xff\xff", b"\xa1\xff"])
def test_other_files_are_refused(data: bytes):
    with pytest.raises(T5MixError, match="not a msgpack file"):
        index_msgpack(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40))
def test_arbitrary_bytes_give_a_value_or_an_error_that_says_so(data: bytes):
    with contextlib.suppress(T5MixError):
        index_msgpack(data)
