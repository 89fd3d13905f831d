"""`make test-drift`: nights on which the departments only do what departments do must not wake anybody."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.validation.drift import drift
from tests.validation.nights import Nights, every_scope

pytestmark = pytest.mark.drift


@pytest.mark.parametrize(
    ("first", "nights"),
    [(date(2026, 9, 25), 60), (date(2026, 12, 27), 12)],
    ids=["over a quarter's end", "over a year's end"],
)
def test_at_most_one_clean_night_in_sixty_is_stopped(
    first: date, nights: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """All datasets of all seven districts, 2,791 enterprises, the sandbox's ordinary faults among them."""
    city, stopped, compared = Nights(20210430, 2791), {}, 0
    for night in (first + timedelta(days=day) for day in range(nights)):
        for contract, scope in every_scope(city):
            compared += 1
            before = city.before(contract, scope, night)
            found = drift(contract, city.accepted(contract, scope, night), before, night)
            if failed := [check for check in found if not check.passed]:
                stopped.setdefault(night, []).append((contract.dataset, scope, failed))
    with capsys.disabled():
        print(f"\nfalse alarms: {len(stopped)} of {nights} nights, {compared} snapshots compared")
    assert len(stopped) <= nights / 60, stopped
