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
    assert _behind([scored("320402", "2026-11-19"), newest], city, tonight) == {"320402": "IP_PAT of 2026-11-19"}
    assert _behind([scored("320402", "2026-11-20", sha256="replaced"), newest], city, tonight) == {
        "320402": "IP_PAT of 2026-11-20 before it was replaced"
    }
    assert _behind([scored("320402", "2026-11-19", day=19), newest], city, tonight) == {}
