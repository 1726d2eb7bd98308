"""The tables of Raffel et al. 2020 (arXiv:1910.10683) that sweeps are held against."""

import dataclasses
import re
from collections.abc import Mapping

COLUMNS = ("GLUE", "CNNDM", "SQuAD", "SGLUE", "EnDe", "EnFr", "EnRo")

PaperRow = tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class PaperTable:
    """One of the paper's tables, and its baselines; rows have the columns of `COLUMNS`.

    Attributes:
        number: the paper's.
        title: what it compares.
        rows: by method, in the paper's order.
    """

    number: int
    title: str
    rows: Mapping[str, PaperRow]

    def row(self, name: str | None) -> PaperRow | None:
        """Returns a row; None if there is none of that name.

        Args:
            name: the row's, or what stands in it behind a comma ("T=2") or before a plus ("leave-one-out"), if no other
                row is called so. Case, spaces and punctuation do not matter.
        """
        if not name:
            return None
        plain_name, rows = _plain(name), {_plain(row): values for row, values in self.rows.items()}
        if plain_name in rows:
            return rows[plain_name]
        near = [values for row, values in self.rows.items() if plain_name in map(_plain, _parts(row))]
        return near[0] if len(near) == 1 else None

    def value(self, row: str | None, column: str | None) -> float | None:
        """Returns a figure; None if the table has no such row or column."""
        values = self.row(row)
        columns = [_plain(name) for name in COLUMNS]
        if values is None or column is None or _plain(column) not in columns:
            return None
        return values[columns.index(_plain(column))]


def _parts(name: str) -> list[str]:
    """Returns what may stand for a name: what is behind a comma, what is before a plus."""
    parts = [name.partition(", ")[2], name.partition(" + ")[0]]
    return [part for part in parts if part and part != name]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9=^]", "", name.casefold())


_BASELINE: PaperRow = (83.28, 19.24, 80.88, 71.36, 26.98, 39.82, 27.65)
_SCRATCH: PaperRow = (66.22, 17.60, 50.31, 53.04, 25.86, 39.77, 24.04)  # of its Table 1
_MULTI_TASK: PaperRow = (81.42, 19.24, 79.78, 67.30, 25.21, 36.30, 27.76)

SIGMA: PaperRow = (0.235, 0.065, 0.343, 0.416, 0.112, 0.090, 0.108)
"""The standard deviation of 10 runs of the baseline."""

TABLES: dict[int, PaperTable] = {
    table.number: table
    for table in (
        PaperTable(
            10,
            "fine-tuning methods",
            {
                "all parameters": _BASELINE,
                "adapter, d=32": (80.52, 15.08, 79.32, 60.40, 13.84, 17.88, 15.54),
                "adapter, d=128": (81.51, 16.62, 79.47, 63.03, 19.83, 27.50, 22.63),
                "adapter, d=512": (81.54, 17.78, 79.18, 64.30, 23.45, 33.98, 25.81),
                # The main table repeats d=128 here by mistake; these are from its Table 16.
                "adapter, d=2048": (82.62, 18.30, 79.40, 68.61, 25.64, 36.92, 26.93),
                "gradual unfreezing": (82.50, 18.95, 79.17, 70.79, 26.71, 39.02, 26.93),
            },
        ),
        PaperTable(
            11,
            "mixing strategies",
            {
                "baseline": _BASELINE,
                "equal": (76.13, 19.02, 76.51, 63.37, 23.89, 34.31, 26.78),
                "proportional, K=2^16": (80.45, 19.04, 77.25, 69.95, 24.35, 34.99, 27.10),
                "proportional, K=2^17": (81.56, 19.12, 77.00, 67.91, 24.36, 35.00, 27.25),
                "proportional, K=2^18": (81.67, 19.07, 78.17, 67.94, 24.57, 35.19, 27.39),
                "proportional, K=2^19": _MULTI_TASK,
                "proportional, K=2^20": (80.80, 19.24, 80.36, 67.38, 25.66, 36.93, 27.68),
                "proportional, K=2^21": (79.83, 18.79, 79.50, 65.10, 25.82, 37.22, 27.13),
                "temperature, T=2": (81.90, 19.28, 79.42, 69.92, 25.42, 36.72, 27.20),
                "temperature, T=4": (80.56, 19.22, 77.99, 69.54, 25.04, 35.82, 27.45),
                "temperature, T=8": (77.21, 19.10, 77.14, 66.07, 24.55, 35.35, 27.17),
                "no pre-training": _SCRATCH,
            },
        ),
        PaperTable(
            12,
            "multi-task training and fine-tuning",
            {
                "baseline": _BASELINE,
                "multi-task": _MULTI_TASK,
                "multi-task + fine-tuning": (83.11, 19.12, 80.26, 71.03, 27.08, 39.80, 28.07),
                "leave-one-out + fine-tuning": (81.98, 19.05, 79.97, 71.68, 26.93, 39.79, 27.87),
                "supervised multi-task + fine-tuning": (79.93, 18.96, 77.38, 65.36, 26.81, 40.13, 28.04),
                "no pre-training": _SCRATCH,
            },
        ),
    )
}
