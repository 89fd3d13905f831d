"""A publication that leans on a district's last good night never shows one enterprise twice."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from include.kernel.references import ResultKey
from include.steps.city import _moved
from include.steps.stores import Stores
from include.store import lake as places
from include.store.ledger import ResultRow


def test_an_enterprise_that_moved_is_taken_from_the_district_with_the_newer_result(tmp_path: Path) -> None:
    lake = places.Lake(str(tmp_path))

    def scored(district: str, day: int, codes: list[str]) -> ResultRow:
        result = ResultKey(date(2026, 11, day), district, "changzhou_v1")
        lake.commit(places.points(result), {"points": pa.table({"uscc": codes})}, {})
        return ResultRow(result, "set", [], len(codes), "sha", datetime(2026, 11, day, tzinfo=UTC))

    results = [scored("320402", 19, ["A", "MOVED"]), scored("320411", 20, ["B", "MOVED"]), scored("320412", 20, ["C"])]
    moved = _moved(Stores(lake, cast(Any, None), cast(Any, None)), results)
    assert {district: left.to_pylist() for district, left in moved.items()} == {
        "320402": ["MOVED"],
        "320411": [],
        "320412": [],
    }
