"""A publication that leans on a district's last good night never shows one enterprise twice."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from include.kernel.references import ResultKey
from include.steps.city import _behind
from include.steps.results import moved_away
from include.store import lake as places
from include.store.ledger import ResultRow


def test_an_enterprise_that_moved_is_taken_from_the_district_with_the_newer_result(tmp_path: Path) -> None:
    lake = places.Lake(str(tmp_path))

    def scored(district: str, day: int, codes: list[str]) -> ResultRow:
        result = ResultKey(date(2026, 11, day), district, "changzhou_v1")
        sha = lake.commit(places.points(result), {"points": pa.table({"uscc": codes})}, {}).sha256
        return ResultRow(result, sha, [], len(codes), datetime(2026, 11, day, tzinfo=UTC))

    results = [scored("320402", 19, ["A", "MOVED"]), scored("320411", 20, ["B", "MOVED"]), scored("320412", 20, ["C"])]
    moved = moved_away(lake, results)
    assert {district: left.to_pylist() for district, left in moved.items()} == {
        "320402": ["MOVED"],
        "320411": [],
        "320412": [],
    }


def test_a_district_on_an_older_snapshot_of_the_citys_than_another_is_named() -> None:
    def scored(district: str, patents_of: str, day: int = 20, sha256: str = "sha") -> ResultRow:
        members = [["IP_PAT", "city", patents_of, sha256], ["TAX_CIT", district, "2026-11-18", "sha"]]
        result = ResultKey(date(2026, 11, day), district, "changzhou_v1")
        return ResultRow(result, "sha", members, 1, datetime(2026, 11, day, tzinfo=UTC))

    tonight, city, newest = (
        date(2026, 11, 20),
        [["IP_PAT", "city", "2026-11-20", "sha"]],
        scored("320404", "2026-11-20"),
    )
    assert _behind([scored("320402", "2026-11-19"), newest], city, set(), tonight) == {"320402": "IP_PAT of 2026-11-19"}
    assert _behind([scored("320402", "2026-11-19", day=19), newest], city, set(), tonight) == {}


def test_a_district_on_a_snapshot_that_was_replaced_since_is_named_whosever_it_is() -> None:
    """Of the city, of its own, of a neighbour's registry; tonight's result, or its last good one."""
    tonight, city = date(2026, 11, 20), [["IP_PAT", "city", "2026-11-20", "new"]]

    def behind(*members: list[str], day: int = 20) -> dict[str, str]:
        result = ResultKey(date(2026, 11, day), "320402", "changzhou_v1")
        row = ResultRow(result, "sha", list(members), 1, datetime(2026, 11, day, tzinfo=UTC))
        replaced = {tuple(member) for member in members if member[3] == "old"}
        return _behind([row], city, replaced, tonight)

    assert behind(["IP_PAT", "city", "2026-11-20", "new"], ["TAX_CIT", "320402", "2026-11-20", "in use"]) == {}
    assert behind(["IP_PAT", "city", "2026-11-20", "old"]) == {"320402": "IP_PAT of 2026-11-20 before it was replaced"}
    assert behind(
        ["IP_PAT", "city", "2026-11-19", "other"],
        ["REG_ENT", "320411", "2026-11-20", "old"],
        ["TAX_CIT", "320402", "2026-11-18", "old"],
    ) == {
        "320402": "IP_PAT of 2026-11-19, REG_ENT/320411 of 2026-11-20 before it was replaced, "
        "TAX_CIT/320402 of 2026-11-18 before it was replaced"
    }
    assert behind(["TAX_CIT", "320402", "2026-11-18", "old"], day=19) == {
        "320402": "TAX_CIT/320402 of 2026-11-18 before it was replaced"
    }
