"""Numbers as people read them."""

import math

import pytest

from t5mix.console import units

DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((1.234e12, "1.23 T"), (5e8, "500 M"), (30_000, "30 k"), (12.0, "12"), (0.5, "0.5"), (None, DASH)),
        *((999, "999"), (999.6, "1 k"), (999_400, "999 k"), (999_600, "1 M"), (3e21, "3e+03 E")),
    ],
)
def test_large_numbers_have_a_prefix(value: float | None, text: str):
    assert units.si_number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0 B"), (512, "512 B"), (1536, "1.50 KiB"), (800 * 2**20, "800 MiB"), (12.34 * 2**20, "12.3 MiB")),
        *((3 * 2**30, "3.00 GiB"), (5 * 2**40, "5.00 TiB"), (3 * 2**60, "3,072 PiB"), (None, DASH)),
    ],
)
def test_sizes_of_data(value: float | None, text: str):
    assert units.data_size(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(12.345, "12.3 s"), (166, "2.8 min"), (600, "10 min"), (0, "0 s")])
def test_short_lengths_of_time(seconds: float, text: str):
    assert units.duration(seconds) == text


def test_a_long_time_has_hours():
    assert units.duration(86_400) == "24 h 00 min"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (7384, "2:03:04")])
def test_clock(seconds: float, text: str):
    assert units.clock(seconds) == text


def test_counts_shares_and_learning_rates():
    assert [units.count(value) for value in (1_234_567, 12.4, None)] == ["1,234,567", "12", DASH]
    assert [units.percent(share) for share in (0.125, 1)] == ["12.5 %", "100.0 %"]
    assert [units.learning_rate(value) for value in (0.001, 3e-5, None)] == ["0.001", "3e-05", DASH]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((6000, 20_000.0, 12_000), ["6,000", "20,000", "12,000"]),
        ((17.3205, 10, None), ["17.3", "10.0", DASH]),
        ((0.01852, 38.5, 0), ["0.0185", "38.5000", "0.0000"]),
        ((1e-9, 1), ["0.000000", "1.000000"]),
        ((math.inf, 0.5), ["inf", "0.500"]),
        ((), []),
    ],
)
def test_the_numbers_of_a_column_have_one_notation(values: tuple[float | None, ...], texts: list[str]):
    assert units.in_one_notation(values) == texts
