"""What the pipeline concludes from dirty records equals what is true of the world they were made from."""

from __future__ import annotations

import re
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa

from include.contracts import contracts
from include.kernel.references import SnapshotKey
from include.sandbox.world import world
from include.store import lake as places
from tests.e2e.conftest import AS_OF, ENTERPRISES, SEED, City

pytestmark = pytest.mark.services


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
