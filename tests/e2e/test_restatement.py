"""A department restates: a new generation, the old one kept, and a difference that names who and by which record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa

from include import steps
from include.conformed import correct as corrections
from include.contracts import require_contract
from include.evidence.text import render
from include.kernel.errors import BadInput
from include.kernel.references import SnapshotKey
from include.steps import review
from include.steps.explain import explain
from include.steps.generation_difference import generation_difference
from include.steps.generation_difference import render as render_difference
from include.store import lake as places
from include.store.decisions import run_name_decision
from include.store.warehouse import PUBLISHED, reading, writing
from tests.e2e.conftest import AS_OF, SCHEME, City

pytestmark = [pytest.mark.services, pytest.mark.long]

DISTRICT = "320411"
KEY = SnapshotKey("TAX_CIT", DISTRICT, AS_OF)
NATIVE = {name: column.native for name, column in require_contract("TAX_CIT").columns.items()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where corrections are declared; a file that is written after the first reading needs `cache_clear`."""
    folder = tmp_path / "corrections"
    folder.mkdir()
    monkeypatch.setattr(corrections, "FOLDER", folder)
    corrections.corrections.cache_clear()
    yield folder
    corrections.corrections.cache_clear()


def score_again(city: City) -> int:
    """The city and the district from their snapshots on, and the publication; the new generation."""
    steps.conform_city(AS_OF, holder="test")
    for step in (steps.conform, steps.measure):
        step(DISTRICT, AS_OF, holder="test")
    for step in (steps.compute, steps.score):
        step(DISTRICT, AS_OF, SCHEME, holder="test")
    steps.rank(AS_OF, SCHEME, holder="test")
    return steps.publish(AS_OF, SCHEME, holder="test", reason="restated")["generation"]


def land_again(city: City, rows: pa.Table) -> None:
    """What the tax bureau would have sent, had it known better that night."""
    stores = city.stores
    held, landing = stores.ledger.snapshot(KEY), stores.lake.require(places.landing(KEY))
    assert held is not None
    with stores.lease(f"snapshot/{KEY}", "test") as lease:
        manifest = stores.lake.commit(places.landing(KEY), {"data": rows}, landing.facts)
        stores.ledger.record_landed(
            KEY, lease=lease, contract_version=held.contract_version, declared=rows.num_rows, received=rows.num_rows,
            landing_sha=manifest.sha256,
        )  # fmt: skip
    steps.validate(KEY.dataset, DISTRICT, AS_OF, holder="test")


def published(city: City, generation: int) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(enterprise, indicator) → value, status, points of a generation, read without the code that is tested."""
    ledger = PUBLISHED["points_ledger"]
    with reading(city.stores.engine) as connection:
        rows = connection.execute(sa.select(ledger).where(ledger.c.generation_id == generation)).all()
    return {(row.uscc, row.indicator): (row.value, row.status, row.points) for row in rows}


def own(city: City, generation: int) -> list[str]:
    """The enterprises of the district that have points and yearly returns, most amounts first."""
    with_points = {uscc for uscc, _ in published(city, generation)}
    rows = city.stores.lake.read(places.conformed(DISTRICT, AS_OF), "tax_cit")
    most = rows.group_by("uscc").aggregate([("amount_yuan", "sum")]).sort_by([("amount_yuan_sum", "descending")])
    return [uscc for uscc in most["uscc"].to_pylist() if uscc in with_points]


def of(rows: pa.Table, uscc: str) -> pa.ChunkedArray:
    """Which landed rows are the enterprise's."""
    return pc.fill_null(pc.equal(rows[NATIVE["uscc"]], uscc), False)


def tripled(rows: pa.Table, uscc: str) -> pa.Table:
    """The enterprise's returns of 2025 with three times every amount, under the same keys."""
    name = NATIVE["amount_yuan"]
    last_year = pc.starts_with(rows[NATIVE["period_to"]], "2025")
    hits = pc.and_(of(rows, uscc), last_year).to_pylist()
    assert any(hits)
    amounts = [str(Decimal(text) * 3) if hit else text for text, hit in zip(rows[name].to_pylist(), hits, strict=True)]
    place = rows.column_names.index(name)
    return rows.set_column(place, name, pa.array(amounts, pa.string()))


def test_a_restatement_makes_a_new_generation_and_a_difference_that_names_the_records(city: City) -> None:
    city.refresh(AS_OF, [DISTRICT])
    before = published(city, 1)
    restated, deleted, *_ = own(city, 1)
    rows = tripled(city.stores.lake.read(places.landing(KEY)), restated)
    land_again(city, rows.filter(pc.invert(of(rows, deleted))))
    after = score_again(city)

    assert after == 2
    assert published(city, 1) == before  # the old generation is kept as it was
    again = published(city, 2)
    affected = {uscc for uscc, indicator in before.keys() | again.keys()
                if before.get((uscc, indicator)) != again.get((uscc, indicator))}  # fmt: skip
    assert affected == {restated, deleted}
    found = generation_difference(1, 2)
    assert {move["uscc"] for move in found["moves"]} == affected
    assert set(found["by_cause"]) <= {"records", "stage"}
    by_uscc = {move["uscc"]: move for move in found["moves"]}
    assert {one["change"] for one in by_uscc[restated]["records"]} == {"changed"}
    assert {one["change"] for one in by_uscc[deleted]["records"]} == {"removed"}
    for uscc, move in by_uscc.items():
        assert {one["dataset"] for one in move["records"]} == {"TAX_CIT"}
        told = {line["indicator"] for line in move["lines"]}
        assert told == {name for code, name in before if code == uscc and before[code, name] != again.get((code, name))}
    assert generation_difference(2, 2)["moved"] == 0
    text = render_difference(found)
    assert f"{restated} {DISTRICT}" in text
    assert "changed (amount_yuan)" in text
    assert "2 of " in text


def test_a_generation_that_is_not_kept_is_refused(city: City) -> None:
    with pytest.raises(BadInput, match=r"generation 1 is not kept.*do: choose two"):
        generation_difference(1, 99)


def test_a_correction_is_applied_in_conform_explained_by_its_id_and_ends_when_the_source_is_repaired(
    city: City, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    city.refresh(AS_OF, [DISTRICT])
    uscc, *_ = own(city, 1)
    rows = city.stores.lake.read(places.conformed(DISTRICT, AS_OF), "tax_cit")
    mine = rows.filter(pc.and_(pc.equal(rows["uscc"], uscc), pc.equal(rows["form_code"], "A100000")))
    line = mine.filter(pc.equal(mine["row_number"], 1)).sort_by("period_to").to_pylist()[-1]  # revenue of 2025
    key, sent, right = line["filing_id"], line["amount_yuan"], line["amount_yuan"] + Decimal("5000000.00")
    (folder / "TAX_CIT.yaml").write_text(
        f"""
- id: five-million
  scope: "{DISTRICT}"
  key: {{filing_id: "{key}", form_code: A100000, row_number: "1"}}
  field: amount_yuan
  was: "{sent}"
  is: "{right}"
  who: 陈工，税务局数据科
  when: {AS_OF}
  evidence: 税务局 2026-11-19 复函，申报表第1行漏录
  expect: 1
""",
        encoding="utf-8",
    )

    def amount(place: str, table: str) -> list[Decimal]:
        rows = city.stores.lake.read(place, table).to_pylist()
        return [
            r["amount_yuan"] for r in rows if [r["filing_id"], r["form_code"], r["row_number"]] == [key, "A100000", 1]
        ]

    corrections.corrections.cache_clear()
    score_again(city)
    assert amount(places.conformed(DISTRICT, AS_OF), "tax_cit") == [right]
    assert amount(places.accepted(KEY), "data") == [sent]
    account = explain(uscc, SCHEME)
    named = {field.correction for record in account.records for field in record.fields if field.correction}
    assert named == {"five-million"}
    assert f"(sent as {sent}, corrected by five-million)" in render(account)
    moved = {move["uscc"] for move in generation_difference(1, 2)["moves"]}
    assert moved == {uscc}

    landed = city.stores.lake.read(places.landing(KEY))
    name, mine = NATIVE["amount_yuan"], of(landed, uscc)
    for column, text in (("filing_id", key), ("form_code", "A100000"), ("row_number", "1")):
        mine = pc.and_(mine, pc.equal(landed[NATIVE[column]], text))
    repaired = pc.if_else(mine, str(right), landed[name])
    land_again(city, landed.set_column(landed.column_names.index(name), name, repaired))
    caplog.clear()
    steps.conform(DISTRICT, AS_OF, holder="test")
    said = [line for line in caplog.messages if "five-million" in line]
    assert said == [
        f"TAX_CIT/{DISTRICT}/{AS_OF}: correction TAX_CIT/five-million: no longer applied: the department has "
        "repaired it; look at it and end it (`until`) in corrections/TAX_CIT.yaml"
    ]


def test_a_decision_about_a_name_moves_points_is_explained_by_its_number_and_taken_back_again(
    city: City, folder: Path
) -> None:
    city.refresh(AS_OF, [DISTRICT])
    before = published(city, 1)
    contracts = city.stores.lake.read(places.accepted(SnapshotKey("ST_CONTRACT", "city", AS_OF))).to_pylist()
    last = {row["registration_no"]: row for row in sorted(contracts, key=lambda row: row["event_no"])}
    dealt = {row[party] for row in contracts for party in ("buyer_uscc", "seller_uscc")}
    meant = next(uscc for uscc in own(city, 1) if uscc not in dealt)
    left = city.stores.lake.read(places.conformed_city(AS_OF), "unresolved").to_pylist()
    open_ = {row["name"] for row in left if (row["dataset"], row["tier"]) == ("ST_CONTRACT", "none")}
    name = next(row["buyer_name"] for row in contracts if row["signed_on"].year == 2025 and row["buyer_name"] in open_)

    def at(day: str) -> None:
        with writing(city.stores.engine) as connection:
            table = run_name_decision
            connection.execute(sa.update(table).values(decided_at=datetime.fromisoformat(f"{day}T12:00+08:00")))

    taken, _ = review.decide(AS_OF, "ST_CONTRACT", "", name, meant, evidence="合同登记机构更正通知", by="王工")
    at("2026-11-20")  # on the business date itself: too late for its night
    assert published(city, score_again(city)) == before
    at("2026-11-19")
    generation = score_again(city)
    again = published(city, generation)
    moved = {uscc for uscc, indicator in before if before[uscc, indicator] != again.get((uscc, indicator))}
    assert moved == {meant}
    account = explain(meant, SCHEME)
    linked = [record for record in account.records if record.decision]
    assert linked
    assert {(record.dataset, record.decision) for record in linked} == {("ST_CONTRACT", taken.id)}
    for record in linked:
        assert name in {field.as_sent for field in record.fields}
    assert f"(this enterprise's by decision {taken.id})" in render(account)

    misspelt = next(
        row
        for row in last.values()
        if row["buyer_name"] in open_ - {name} and row["event"] != "撤销" and row["signed_on"].year == 2025
    )
    (folder / "ST_CONTRACT.yaml").write_text(
        f"""
- id: misspelt
  scope: city
  key: {{registration_no: "{misspelt["registration_no"]}", event_no: "{misspelt["event_no"]}"}}
  field: buyer_name
  was: {misspelt["buyer_name"]}
  is: {name}
  who: 陈工，技术市场办公室
  when: {AS_OF}
  evidence: 合同登记机构 2026-11-19 更正买方名称
  expect: 1
""",
        encoding="utf-8",
    )
    corrections.corrections.cache_clear()
    score_again(city)
    records = explain(meant, SCHEME, indicator="ENV-06").records
    corrected = [one for one in records if any(field.correction for field in one.fields)]
    assert [one.decision for one in corrected] == [taken.id]  # it is about what the record says once corrected
    (folder / "ST_CONTRACT.yaml").unlink()
    corrections.corrections.cache_clear()

    review.revoke(taken.id, evidence="权利人否认", by="李工")
    at("2026-11-19")
    assert published(city, score_again(city)) == before
    assert not any(record.decision for record in explain(meant, SCHEME).records)
