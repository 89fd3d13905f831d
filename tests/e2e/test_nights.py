"""Nights one after the other, again, out of order, and when a department fails."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import openpyxl
import pytest
import sqlalchemy as sa

from include import steps
from include.conformed.enterprises import participants
from include.evidence.text import render, render_change
from include.kernel.errors import BadInput, TerminalError, TransientError
from include.kernel.references import ResultKey, SnapshotKey
from include.sources.declaration import of_district, shared
from include.steps import explain as explained
from include.steps.explain import explain, explain_change
from include.steps.stores import Stores
from include.store import lake as places
from include.store.ledger import ResultRow
from tests.e2e.conftest import AS_OF, SCHEME, City

pytestmark = pytest.mark.services

DOCS = Path(__file__).parents[2] / "docs"
DISTRICT = "320411"
DAYS = [date(2026, 11, 18), date(2026, 11, 19), AS_OF]


def _digests(city: City, days: list[date], districts: list[str]) -> dict[str, str]:
    """The identity of every committed place of these days: what landed, what was accepted, what was scored."""
    lake, found = city.stores.lake, {}
    for day in days:
        for district in districts:
            for place in (
                places.landing(SnapshotKey("TAX_VAT", district, day)),
                places.accepted(SnapshotKey("TAX_VAT", district, day)),
                places.accepted(SnapshotKey("IP_PAT", "city", day)),
                places.conformed(district, day),
                places.points(ResultKey(day, district, SCHEME)),
            ):
                found[place] = lake.require(place).sha256
    return found


def test_the_same_night_twice_gives_the_same_bytes_and_no_second_generation(city: City) -> None:
    city.refresh(AS_OF, [DISTRICT])
    first = _digests(city, [AS_OF], [DISTRICT])
    said = city.refresh(AS_OF, [DISTRICT])
    assert _digests(city, [AS_OF], [DISTRICT]) == first
    assert sum("reused" in line for line in said) == len(shared()) + len(of_district())
    with city.stores.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM generation")) == 1


def test_past_days_in_any_order_give_the_bytes_of_the_nights_in_order(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in DAYS:
        city.refresh(day, [DISTRICT])
    in_order = _digests(city, DAYS, [DISTRICT])
    assert len(set(in_order.values())) > len(in_order) / 2, "the days must differ, or the comparison shows nothing"
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path / "other"))
    for day in (AS_OF, DAYS[0], DAYS[1]):
        city.refresh(day, [DISTRICT])
    assert _digests(city, DAYS, [DISTRICT]) == in_order
    with city.stores.engine.connect() as connection:
        assert str(connection.scalar(sa.text("SELECT as_of FROM current_generation"))) == AS_OF.isoformat()


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


def test_a_dataset_that_is_too_old_stops_the_district_with_one_line(night: City) -> None:
    with pytest.raises(TerminalError, match=r"^HR_INS/320411 as of 2027-03-01.*2026-11-20.*kept.*do: "):
        steps.conform(DISTRICT, date(2027, 3, 1), holder="test")


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


def test_explain_proves_every_point_from_the_source_records(night: City) -> None:
    points = night.gathered("points").sort_by([("total", "descending"), ("uscc", "ascending")]).to_pylist()
    schema = json.loads((DOCS / "reference" / "explain.schema.json").read_text(encoding="utf-8"))
    for row in (points[0], points[len(points) // 2], points[-1]):
        account = explain(row["uscc"], SCHEME)
        assert account.total == row["total"]
        assert len(account.indicators) == 121
        assert sum(line.points for line in account.indicators) == row["total"]
        jsonschema.validate(json.loads(account.model_dump_json()), schema, jsonschema.Draft202012Validator)
        assert all(measure.is_minimal for line in account.indicators for measure in line.measures)


def test_explain_leads_to_the_row_of_the_return_and_shows_the_text_that_landed(night: City) -> None:
    best = night.gathered("points").sort_by([("total", "descending"), ("uscc", "ascending")])["uscc"][0].as_py()
    account = explain(best, SCHEME, indicator="BAS-04")
    (line,) = account.indicators
    revenue = {measure.measure: measure for measure in line.measures}["operating_revenue_yuan"]
    assert revenue.decides
    (use,) = revenue.uses
    (record,) = [one for one in account.records if one.record == use.record]
    fields = {field.column: field for field in record.fields}
    assert (record.dataset, record.key["BDDM"], record.key["EWBHXH"]) == ("TAX_CIT", "A100000", "1")
    assert fields["amount_yuan"].value == str(revenue.value)
    assert "amount_yuan" in use.columns
    district = record.snapshot.split("/")[1]
    landed = night.stores.lake.read(places.landing(SnapshotKey("TAX_CIT", district, AS_OF))).to_pylist()
    (row,) = [
        row
        for row in landed
        if row["SBUUID"] == record.key["SBUUID"]
        and row["EWBHXH"] == "1"
        and row["BDDM"] == "A100000"
        and row["_ordinal"] + 1 == record.line
    ]
    assert row["JE"] == fields["amount_yuan"].as_sent
    text = render(account)
    assert f"{record.page} record {record.line} SBUUID={record.key['SBUUID']}" in text
    assert str(account.total) in text


def _row_of_file(path: Path, row: int) -> set[str]:
    """What stands in a row as a person sees it who opens the file."""
    if path.suffix == ".csv":
        cells = list(csv.reader(path.read_text(encoding="gb18030").splitlines()))[row - 1]
    else:
        cells = [cell.value for cell in openpyxl.load_workbook(path).active[row]]
    return {str(cell) for cell in cells if cell is not None}


def test_explain_leads_to_the_row_of_the_file_that_was_handed_over(night: City) -> None:
    files = {path.name: path for path in (night.sandbox / "world" / "drop").rglob("*.*")}
    seen = set()
    for dataset in ("FIN_LOAN", "MIIT_QUAL", "ST_QUAL"):
        held = night.stores.lake.read(places.conformed(DISTRICT, AS_OF), dataset.lower())
        for uscc in sorted(set(held["uscc"].to_pylist()))[:3]:
            account = explain(uscc, SCHEME)
            text = render(account)
            for record in account.records:
                if record.dataset not in ("FIN_LOAN", "MIIT_QUAL", "ST_QUAL"):
                    continue
                assert record.counted == "row"
                sent = {field.as_sent for field in record.fields if field.native != "银行" and field.as_sent}
                assert sent <= _row_of_file(files[record.page], record.line), record.record
                seen.add((record.dataset, files[record.page].suffix))
                assert record.dataset != dataset or f"{record.page} row {record.line} " in text or "… " in text
    assert seen >= {("FIN_LOAN", ".xlsx"), ("MIIT_QUAL", ".xlsx"), ("ST_QUAL", ".csv")}


def test_explain_never_shows_a_field_about_a_person(night: City) -> None:
    owner = night.stores.lake.read(places.conformed(DISTRICT, AS_OF), "ip_pat")["uscc"][0].as_py()
    account = explain(owner, SCHEME, indicator="MGT-17")
    patents = [record for record in account.records if record.dataset == "IP_PAT"]
    withheld = [field for record in patents for field in record.fields if field.column == "inventors"]
    assert withheld
    assert all((field.as_sent, field.value, field.withheld) == (None, None, True) for field in withheld)
    assert "k1:" not in account.model_dump_json() + render(account)


def test_the_change_between_two_nights_adds_up_and_names_the_records(city: City) -> None:
    for day in (DAYS[0], AS_OF):
        city.refresh(day, [DISTRICT])
    lake = city.stores.lake
    before, after = (
        {
            row["uscc"]: row["total"]
            for row in lake.read(places.points(ResultKey(day, DISTRICT, SCHEME)), "points").to_pylist()
        }
        for day in (DAYS[0], AS_OF)
    )
    moved = [code for code in sorted(before) if code in after and after[code] != before[code]]
    assert moved, "nobody's points changed: the test shows nothing"
    schema = json.loads((DOCS / "reference" / "explain.schema.json").read_text(encoding="utf-8"))
    for code in moved[:2]:
        change = explain_change(code, SCHEME, since=DAYS[0])
        effects = change.total
        assert (effects.before, effects.after) == (before[code], after[code])
        assert effects.before + effects.facts + effects.stage + effects.rules == effects.after
        jsonschema.validate(json.loads(change.model_dump_json()), schema, jsonschema.Draft202012Validator)
        assert f"{effects.before} → {effects.after}" in render_change(change)
    with pytest.raises(BadInput, match="both nights are the result of 2026-11-20"):
        explain_change(moved[0], SCHEME, since=AS_OF)


@pytest.mark.parametrize(
    ("table", "figure"),
    [
        ("profile", "stage"),
        ("profile", "district"),
        ("points", "coverage"),
        ("points", "total_low"),
        ("points", "total"),
        ("ledger", "value"),
        ("ledger", "segment"),
        ("ledger", "weight"),
        ("ledger", "points"),
    ],
)
def test_explain_says_nothing_when_one_figure_is_not_what_the_snapshots_give(
    night: City, monkeypatch: pytest.MonkeyPatch, table: str, figure: str
) -> None:
    stored = explained._only

    def altered(stores: Stores, row: ResultRow, name: str, code: str) -> list[dict[str, Any]]:
        rows = stored(stores, row, name, code)
        if name == table:
            one = next(row for row in rows if row[figure] is not None)
            another = (
                {"stage": "成熟期" if one["stage"] != "成熟期" else "初创期", "district": ""}
                if name == "profile"
                else {}
            )
            one[figure] = another[figure] if another else one[figure] + 1
        return rows

    monkeypatch.setattr(explained, "_only", altered)
    known = night.gathered("points")["uscc"][0].as_py()
    with pytest.raises(TerminalError, match=rf": {figure}( of \S+)? derived again differs"):
        explain(known, SCHEME)


def test_explain_refuses_an_unknown_code_and_an_unknown_indicator(night: City) -> None:
    with pytest.raises(BadInput, match="no enterprise '91320411YY99999999'"):
        explain("91320411YY99999999", SCHEME)
    known = night.gathered("points")["uscc"][0].as_py()
    with pytest.raises(BadInput, match=r"unknown indicator 'INP-99' \(did you mean INP-\d\d\?\)"):
        explain(known, SCHEME, indicator="INP-99")


def test_no_name_of_a_person_is_written_anywhere(night: City) -> None:
    """Inventors leave keyed hashes in every room that holds patents, and no raw reply with their names is kept."""
    key = SnapshotKey("IP_PAT", "city", AS_OF)
    lake = night.stores.lake
    for place in (places.landing(key), places.quarantine(key)):
        held = lake.read(place)["InventorStringList"].drop_null().to_pylist()
        assert held
        assert all(re.fullmatch(r"(k1:[0-9a-f]{32};?)+", text) for text in held)
    assert not list((night.home / "lake").glob("raw/IP_PAT/**/*.gz"))
