"""One night of the whole city: what it concludes from dirty records is true of the world they were made from, and every
point is explained to the record."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import jsonschema
import openpyxl
import pyarrow as pa
import pytest
import sqlalchemy as sa

from include import steps
from include.contracts import contracts
from include.evidence.text import render
from include.kernel.errors import BadInput, TerminalError
from include.kernel.references import SnapshotKey
from include.sandbox.world import world
from include.steps import explain as explained
from include.steps.explain import explain
from include.steps.stores import Stores
from include.store import lake as places
from include.store.ledger import ResultRow
from tests.e2e.conftest import AS_OF, ENTERPRISES, SCHEME, SEED, City

pytestmark = pytest.mark.services

DOCS = Path(__file__).parents[2] / "docs"
DISTRICT = "320411"


def _by_enterprise(table: pa.Table, column: str) -> dict[str, object]:
    return dict(zip(table["uscc"].to_pylist(), table[column].to_pylist(), strict=True))


def _true(night: City, column: str) -> dict[str, object]:
    truth = night.truth("truth_enterprises")
    return _by_enterprise(truth.filter(pa.compute.equal(truth["as_of"], pa.scalar(AS_OF))), column)


def _spoilt(night: City, dataset: str) -> set[str]:
    """Enterprises with a quarantined row of the dataset: what they truly have is not what can be read of them."""
    rows = night.truth("truth").to_pylist()
    return {r["uscc"] for r in rows if r["dataset"] == dataset and r["conclusion"] == "quarantined"}


def test_every_enterprise_that_takes_part_is_found_in_its_district_with_its_stage(night: City) -> None:
    profile = night.gathered("profile")
    assert profile.num_rows == ENTERPRISES
    for column in ("district", "stage", "name"):
        assert _by_enterprise(profile, column) == _true(night, column)


@pytest.mark.parametrize(
    ("measure", "truth"),
    [
        ("operating_revenue_yuan", "operating_revenue_yuan_2025"),
        ("operating_revenue_yuan_prior1", "operating_revenue_yuan_2024"),
        ("operating_revenue_yuan_prior3", "operating_revenue_yuan_2022"),
        ("rd_expense_deduction_yuan", "rd_expense_yuan_2025"),
        ("rd_expense_deduction_yuan_prior1", "rd_expense_yuan_2024"),
        ("rd_expense_deduction_yuan_prior2", "rd_expense_yuan_2023"),
    ],
)
def test_figures_are_true_to_the_cent_after_void_and_corrected_filings(night: City, measure: str, truth: str) -> None:
    assert _by_enterprise(night.gathered("measures"), measure) == _true(night, truth)


def test_who_moved_is_scored_once_where_it_is_now_with_the_history_of_both_districts(night: City) -> None:
    moved = {r["uscc"]: r["area"] for r in night.truth("truth").to_pylist() if r["kind"] == "moved"}
    assert moved
    profile = [row for row in night.gathered("profile").to_pylist() if row["uscc"] in moved]
    assert {row["uscc"]: row["district"] for row in profile} == moved
    assert len(profile) == len(moved)
    measures = {row["uscc"]: row for row in night.gathered("measures").to_pylist()}
    for uscc in moved:
        assert measures[uscc]["operating_revenue_yuan_prior1"] == _true(night, "operating_revenue_yuan_2024")[uscc]
        assert measures[uscc]["insured_december"] is not None


def test_headcounts_of_several_units_are_added(night: City) -> None:
    months = {u: v for u, v in _true(night, "insured_person_months_2025").items() if u not in _spoilt(night, "HR_INS")}
    true = {u: v if v is None else (v / 12).quantize(Decimal("0.01"), ROUND_HALF_UP) for u, v in months.items()}
    found = _by_enterprise(night.gathered("measures"), "insured_headcount")
    assert {u: found[u] for u in true} == true
    several = [r["uscc"] for r in night.truth("truth").to_pylist() if r["kind"] == "two_units"]
    assert set(several) & set(true)


def test_shared_patents_and_certificates_are_told_by_name_alone(night: City) -> None:
    measures = night.gathered("measures")
    for measure, truth, dataset in (
        ("valid_inventions", "valid_inventions", "IP_PAT"),
        ("holds_high_tech_certificate", "high_tech_valid", "ST_QUAL"),
    ):
        spoilt = _spoilt(night, dataset)
        found, true = _by_enterprise(measures, measure), _true(night, truth)
        assert {u: v for u, v in found.items() if u not in spoilt} == {u: v for u, v in true.items() if u not in spoilt}
        assert any(true.values())


@pytest.mark.parametrize(
    ("measures", "truth"),
    [
        (["class2_ip_count", "software_copyrights_valid"], "class2_ip"),
        (["management_systems_certified"], "management_systems_certified"),
        (["highest_platform_level"], "highest_platform_level"),
        (["incubator_tenancy_level"], "incubator_tenancy_level"),
        (["sme_ladder_level"], "sme_ladder_level"),
        (["provincial_talents"], "provincial_talents"),
    ],
)
def test_what_registers_and_lists_hold_is_true(night: City, measures: list[str], truth: str) -> None:
    table = night.gathered("measures")
    found = [_by_enterprise(table, measure) for measure in measures]
    true = _true(night, truth)
    assert {uscc: sum(held[uscc] for held in found) for uscc in true} == true
    assert any(true.values())


@pytest.mark.parametrize(
    ("figure", "of_measures"),
    [
        ("science_loan_balance_yuan", {"science_loan_balance_yuan": 1}),
        ("venture_capital_3y_yuan", {"venture_capital_3y_yuan": 1}),
        ("fund_shareholders", {"fund_shareholders": 1}),
        ("listing_step", {"listing_step": 1}),
        ("credit_grade", {"public_credit_grade": 1}),
        ("penalty_count", {"general_penalties_3y": 1, "serious_penalties_3y": 3}),
        ("abnormal_count", {"abnormal_listings": 1}),
    ],
)
def test_credit_equity_and_penalties_are_true_of_names_without_codes_and_of_newest_statements(
    night: City, figure: str, of_measures: dict[str, int]
) -> None:
    rows = {row["uscc"]: row for row in night.gathered("measures").to_pylist()}
    found = {
        uscc: None
        if None in (parts := [row[name] for name in of_measures])
        else sum(part * weight for part, weight in zip(parts, of_measures.values(), strict=True))
        for uscc, row in rows.items()
    }
    assert found == _true(night, figure)
    assert any(found.values())


def test_nobody_under_a_veto_is_honoured_recommended_or_listed(night: City) -> None:
    vetoed = {uscc for uscc, value in _true(night, "vetoed").items() if value}
    measures = night.gathered("measures").to_pylist()
    assert {row["uscc"] for row in measures if row["veto_major_accident"] or row["veto_dishonest"]} == vetoed
    assert vetoed
    with night.stores.engine.connect() as connection:
        for table in ("honours", "project_recommendation", "credit_list"):
            named = set(connection.scalars(sa.text(f"SELECT uscc FROM current_{table}")))
            assert named
            assert not named & vetoed, table


def test_a_person_is_landed_as_a_keyed_hash_and_nothing_else_of_a_person_at_all(night: City) -> None:
    listed = {name for name in world(SEED, ENTERPRISES).tables["HR_TALENT"]["姓名"].to_pylist() if name}
    assert listed
    landed = night.stores.lake.read(places.landing(SnapshotKey("HR_TALENT", "city", AS_OF)), "data")
    assert not {"证件号码", "联系电话"} & set(landed.column_names)
    assert all(re.fullmatch(r"k1:[0-9a-f]{32}", text) for text in landed["姓名"].to_pylist())
    told = {text for column in landed.columns for text in column.to_pylist() if isinstance(text, str)}
    assert not listed & told


@pytest.mark.parametrize(
    ("measure", "truth"),
    [
        ("technology_contract_turnover_yuan", "technology_contract_turnover_yuan"),
        ("technology_contract_turnover_yuan_prior1", "technology_contract_turnover_yuan_prior1"),
        ("provincial_projects_2y", "provincial_projects"),
        ("policy_funds_1y_yuan", "policy_funds_yuan"),
    ],
)
def test_contracts_projects_and_policies_stand_as_their_last_records_say(night: City, measure: str, truth: str) -> None:
    true = _true(night, truth)
    assert _by_enterprise(night.gathered("measures"), measure) == true
    assert sum(bool(value) for value in true.values()) > 10


def test_exactly_the_rows_that_a_contract_cannot_accept_are_quarantined(night: City) -> None:
    """Per dataset: every row that the world spoilt is held back, and no other."""
    planted: Counter[str] = Counter()
    for row in night.truth("truth").to_pylist():
        contract = contracts()[row["dataset"]]
        in_window = row["arrived_at"] < AS_OF.isoformat()
        if row["conclusion"] == "quarantined" and in_window and contract.history_years is None:
            planted[row["dataset"]] += 1
    assert planted
    for dataset in planted:
        assert night.snapshots(dataset, "quarantine").num_rows == planted[dataset], dataset


def test_every_row_is_a_duplicate_accepted_or_quarantined(night: City) -> None:
    with night.stores.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM run_snapshot")).mappings().all()
    assert {row["dataset"] for row in rows} == set(contracts())
    for row in rows:
        assert row["verdict"] == "accepted"
        assert row["rows_in"] == row["declared"] == row["duplicates"] + row["accepted"] + row["quarantined"]


def test_published_tables_speak_of_the_same_enterprises_and_add_up(night: City) -> None:
    def ask(query: str) -> list:
        with night.stores.engine.connect() as connection:
            return list(connection.execute(sa.text(query)))

    assert ask("SELECT count(*) FROM current_enterprise_profile") == [(ENTERPRISES,)]
    assert ask("SELECT count(*), count(DISTINCT indicator) FROM current_points_ledger") == [(ENTERPRISES * 121, 121)]
    assert ask("SELECT sum(enterprises) FROM current_stage_distribution") == [(ENTERPRISES,)]
    for table in ("honours", "project_recommendation", "credit_list"):
        assert ask(f"SELECT count(*) FROM current_{table}") > [(0,)], table
        assert ask(f"SELECT uscc FROM current_{table} EXCEPT SELECT uscc FROM current_enterprise_profile") == []
    held = ask("SELECT count(DISTINCT indicator) FROM current_points_ledger WHERE status = 'value'")
    assert held[0][0] >= 70


def test_a_dataset_that_is_too_old_stops_the_district_with_one_line(night: City) -> None:
    with pytest.raises(TerminalError, match=r"^HR_INS/320411 as of 2027-03-01.*2026-11-20.*kept.*do: "):
        steps.conform(DISTRICT, date(2027, 3, 1), holder="test")


def test_explain_proves_every_point_from_the_source_records(night: City) -> None:
    points = night.gathered("points").sort_by([("total", "descending"), ("uscc", "ascending")]).to_pylist()
    schema = json.loads((DOCS / "reference" / "explain.schema.json").read_text(encoding="utf-8"))
    months = []
    for row in (points[0], points[len(points) // 2], points[-1]):
        account = explain(row["uscc"], SCHEME)
        assert account.total == row["total"]
        assert len(account.indicators) == 121
        assert sum(line.points for line in account.indicators) == row["total"]
        jsonschema.validate(json.loads(account.model_dump_json()), schema, jsonschema.Draft202012Validator)
        measures = [measure for line in account.indicators for measure in line.measures]
        assert all(measure.is_minimal and len(measure.uses) <= measure.held for measure in measures)
        months += [measure.held for measure in measures if measure.measure == "insured_headcount"]
    assert max(months) > 11, "one month may give the mean of all; that there are more is said"


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


@pytest.mark.long
def test_explain_leads_to_the_row_of_the_file_that_was_handed_over(night: City) -> None:
    files = {path.name: path for path in (night.sandbox / "world" / "drop").rglob("*.*")}
    seen = set()
    for dataset in ("FIN_LOAN", "MIIT_QUAL", "ST_QUAL"):
        held = night.stores.lake.read(places.conformed(DISTRICT, AS_OF), dataset.lower())
        for uscc in sorted(set(held["uscc"].to_pylist()))[:2]:
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


def test_explain_proves_the_interval_although_the_nightly_engine_agrees_with_a_wrong_one(
    night: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that takes every value for final: the ledger has its interval, and the exact reference objects."""
    stored, engine, by_engine = explained._only, explained.evaluate, explained.score
    wrong: list[dict[str, Any]] = []

    def blind(*given: Any) -> pa.Table:
        values = engine(*given)
        place = values.column_names.index("incomplete")
        return values.set_column(place, "incomplete", pa.array([False] * values.num_rows))

    def kept(*given: Any) -> Any:
        scored = by_engine(*given)
        wrong[:] = scored.points.to_pylist()
        return scored

    def ledger(stores: Stores, row: ResultRow, name: str, code: str) -> list[dict[str, Any]]:
        rows = stored(stores, row, name, code)
        return [{**rows[0], **wrong[0]}] if name == "points" and wrong else rows

    monkeypatch.setattr(explained, "evaluate", blind)
    monkeypatch.setattr(explained, "score", kept)
    monkeypatch.setattr(explained, "_only", ledger)
    seen = 0
    for uscc in night.gathered("points")["uscc"].to_pylist():
        wrong.clear()
        try:
            explain(uscc, SCHEME, indicator="BAS-01")
        except TerminalError:
            seen += 1
            with pytest.raises(TerminalError, match=r": total_(low|high) derived again differs"):
                explain(uscc, SCHEME, indicator="BAS-01")
        if seen == 3:
            return
    pytest.fail("nobody has a line that is still open")


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
