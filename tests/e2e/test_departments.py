"""When a department is down, moves an enterprise, or hands over a spoilt file."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from include import steps
from include.conformed.enterprises import participants
from include.kernel.errors import TerminalError, TransientError
from include.kernel.references import SnapshotKey
from include.sources.declaration import of_district, shared
from include.store import lake as places
from tests.e2e.conftest import AS_OF, City

pytestmark = pytest.mark.services

DISTRICT = "320411"
DAYS = [date(2026, 11, 18), date(2026, 11, 19)]


@pytest.mark.long
def test_a_department_that_is_down_leaves_its_last_accepted_snapshot_in_use(city: City) -> None:
    city.refresh(DAYS[0], [DISTRICT])
    down = replace(city.connections["innopoints_tax_innovation"], host="http://127.0.0.1:9")
    broken = replace(city, connections={**city.connections, "innopoints_tax_innovation": down})
    with pytest.raises(TransientError, match="tax_innovation TAX_RDD/320411"):
        steps.land("TAX_RDD", DISTRICT, DAYS[1], holder="test", lookup=broken.lookup)
    landed = ("REG_ENT", "HR_INS", "HR_STAFF", "TAX_CIT", "TAX_VAT", "TAX_PAY", "TAX_FIN")
    for dataset in landed:
        steps.land(dataset, DISTRICT, DAYS[1], holder="test", lookup=city.lookup)
        steps.validate(dataset, DISTRICT, DAYS[1], holder="test")
    counts = steps.conform(DISTRICT, DAYS[1], holder="test")
    older = len(shared()) + len(of_district()) - len(landed)  # the others are of the day before
    assert counts["older_snapshots"] == older


def test_the_registry_is_believed_from_the_day_after_a_move_or_a_deregistration(city: City) -> None:
    told = [row for row in city.truth("truth").to_pylist() if row["dataset"] == "REG_ENT"]
    (gone,) = [row for row in told if row["kind"] == "ended"]
    moved = next(row for row in told if row["kind"] == "moved")

    def takes_part(uscc: str, district: str, day: date) -> bool:
        steps.land("REG_ENT", district, day, holder="test", lookup=city.lookup)
        steps.validate("REG_ENT", district, day, holder="test")
        accepted = city.stores.lake.read(places.accepted(SnapshotKey("REG_ENT", district, day)))
        return uscc in participants(accepted, district, day)["uscc"].to_pylist()

    for row, before, after in ((gone, True, False), (moved, False, True)):
        day = date.fromisoformat(row["arrived_at"][:10])
        assert takes_part(row["uscc"], row["area"], day) is before
        assert takes_part(row["uscc"], row["area"], day + timedelta(days=1)) is after


def test_a_missing_connection_is_one_line_that_says_what_to_do(city: City) -> None:
    from include.kernel.connections import from_environment

    with pytest.raises(TerminalError, match=r"'innopoints_registry' is not configured.*kept.*do: add it in Airflow"):
        steps.land("REG_ENT", DISTRICT, AS_OF, holder="test", lookup=from_environment)


@pytest.fixture
def folder(city: City, tmp_path: Path) -> tuple[City, Path]:
    """The science bureau's folder, copied so that a test may spoil it."""
    original = city.connections["innopoints_science_bureau"]
    copy = tmp_path / "drop"
    shutil.copytree(original.extra["path"], copy)
    moved = replace(original, extra={"path": str(copy)})
    return replace(city, connections={**city.connections, "innopoints_science_bureau": moved}), copy


def test_a_drop_file_without_its_marker_is_not_read(folder: tuple[City, Path]) -> None:
    city, path = folder
    marker = sorted(path.glob("高企名单_*.ok"))[0]
    marker.unlink()
    with pytest.raises(TransientError, match=marker.name.removesuffix(".ok")):
        steps.land("ST_QUAL", "city", AS_OF, holder="test", lookup=city.lookup)
    assert city.stores.ledger.snapshot(SnapshotKey("ST_QUAL", "city", AS_OF)) is None


def test_a_drop_file_with_other_columns_is_refused_whole(folder: tuple[City, Path]) -> None:
    import hashlib

    city, path = folder
    file = sorted(path.glob("高企名单_*.csv"))[0]
    content = file.read_bytes().replace("证书编号".encode("gb18030"), "证号".encode("gb18030"))
    file.write_bytes(content)
    rows = content.count(b"\n") - 1
    digest = hashlib.sha256(content).hexdigest()
    file.with_name(file.name + ".ok").write_text(f"rows={rows}\nsha256={digest}\n", encoding="utf-8")
    with pytest.raises(TerminalError, match=f"{file.name}.*证书编号"):
        steps.land("ST_QUAL", "city", AS_OF, holder="test", lookup=city.lookup)
    assert city.stores.lake.manifest(places.landing(SnapshotKey("ST_QUAL", "city", AS_OF))) is None
