"""Seeds that can be replayed, and figures that are measured.

Every random fault is drawn from a seed. A seed that fails is kept under `var/faults/` and tried first from then on, and
the failure says how to replay it. What a test measured is shown at the end of `make test-faults`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

FAILED = Path("var/faults")
_FIGURES = "figures of C3 row "


class Seeds:
    """The seeds of one test: those that failed before, then `count` from `--faults-seed` on."""

    def __init__(self, test: str, first: int, folder: Path) -> None:
        self._test, self._first = test, first
        self._kept = folder / f"{test}.seeds"

    def each(self, count: int, check: Callable[[int], None]) -> None:
        """Run `check` with each seed; the first that fails is kept, and one that failed before is let go."""
        before = self._read()
        for seed in dict.fromkeys([*before, *range(self._first, self._first + count)]):
            try:
                check(seed)
            except BaseException as error:
                self._write([seed, *(other for other in before if other != seed)])
                error.add_note(f"seed {seed}; again: make test-faults ARGS='--faults-seed {seed} -k {self._test}'")
                raise
        self._write([])

    def _read(self) -> list[int]:
        return [int(line) for line in self._kept.read_text("utf-8").split()] if self._kept.exists() else []

    def _write(self, seeds: list[int]) -> None:
        if seeds:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            self._kept.write_text("\n".join(map(str, seeds)) + "\n", "utf-8")
        else:
            self._kept.unlink(missing_ok=True)


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> Seeds:
    """The seeds of this test."""
    first = request.config.getoption("--faults-seed")
    return Seeds(request.node.originalname, first, request.config.rootpath / FAILED)


Measured = Callable[[int, str], None]


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Measured:
    """`measured(7, "0 rows missing in 1,000 shifts")`: what this test measured of a row of the fault table."""
    return lambda row, figure: record_property(f"{_FIGURES}{row:02d}", figure)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures, by row of the fault table."""
    reports = terminalreporter.stats.get("passed", [])
    figures = [
        (name.removeprefix(_FIGURES), figure, report.nodeid)
        for report in reports
        for name, figure in report.user_properties
        if name.startswith(_FIGURES)
    ]
    if figures:
        terminalreporter.section("measured, by row of the fault table")
        for row, figure, test in sorted(figures):
            terminalreporter.write_line(f"{row}  {figure}  ({test.split('::')[-1]})")
