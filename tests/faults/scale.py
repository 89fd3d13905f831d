"""How many seeds: a few in every run, all of them behind the marker `faults`."""

from __future__ import annotations

import pytest


def scale(few: int, all_of_them: int) -> pytest.MarkDecorator:
    """Runs a test twice: with a few seeds by default, with all of them in `make test-faults`."""
    whole = pytest.param(all_of_them, marks=pytest.mark.faults, id=f"{all_of_them}-seeds")
    return pytest.mark.parametrize("count", [pytest.param(few, id=f"{few}-seeds"), whole])
