"""Contracts, projects, awards, co-operation and policies on paper. Firm A has the records, firm B has none.

As of 2026-11-23: the closed year is 2025, "the last two years" begin on 2024-11-24.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from include.measures.run import measure
from tests.measures.conftest import AS_OF, Measured, conformed

D = Decimal


def contract(number: str, role: str = "seller", **fields: Any) -> dict[str, Any]:
    """A contract of A, registered in the closed year 20 days after it was signed."""
    return {
        "uscc": "A",
        "role": role,
        "registration_no": number,
        "event_no": 0,
        "kind": "技术开发",
        "seller_kind": "企业",
        "buyer_kind": "企业",
        "turnover_yuan": "100000.00",
        "signed_on": date(2025, 3, 1),
        "registered_on": date(2025, 3, 21),
        "event": "登记",
        "updated_at": datetime.fromisoformat("2025-03-21"),
    } | fields


def project(number: str, **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "project_no": number,
        "programme": "重点研发",
        "level": "省",
        "role": "牵头",
        "approved_on": date(2025, 5, 1),
        "due_on": date(2028, 5, 1),
    } | fields


def award(number: str, **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "award_no": number,
        "kind": "科学技术奖",
        "level": "省",
        "grade": "二等奖",
        "unit_rank": 1,
        "awarded_on": date(2025, 11, 1),
        "status": "有效",
    } | fields


def cooperation(number: str, kind: str = "合作协议", **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "record_no": number,
        "kind": kind,
        "partner_kind": "高校院所",
        "begins_on": date(2025, 2, 1),
        "status": "有效",
        "published_on": date(2025, 3, 31),
    } | fields


def redemption(policy: str, event: str, on: str, amount: str = "0", **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "policy_no": policy,
        "category": "研发投入",
        "event": event,
        "amount_yuan": amount,
        "happened_on": date.fromisoformat(on),
    } | fields


# --- contracts ---------------------------------------------------------------------------------------------------


def test_turnover_counts_in_the_year_of_registration_and_a_cancelled_contract_nowhere(measured: Measured) -> None:
    rows = [
        contract("1", turnover_yuan="120000.50"),
        contract("2", turnover_yuan="80000.25", event="变更"),
        contract("3", event="撤销"),
        contract("4", signed_on=date(2024, 12, 1), registered_on=date(2024, 12, 31), turnover_yuan="7.00"),
        contract("5", registered_on=date(2026, 1, 1)),
        contract("6", role="buyer", turnover_yuan="40.00"),
    ]
    a = measured(st_contract=rows)["A"]
    assert a["technology_contract_turnover_yuan"] == D("200000.75")
    assert a["technology_contract_turnover_yuan_prior1"] == D("7.00")
    assert a["technology_absorbed_yuan"] == D("40.00")
    assert a["technology_contracts_registered"] == 2


@pytest.mark.parametrize(("signed", "in_time"), [("2025-01-30", 1), ("2025-01-29", 0)])
def test_a_contract_is_registered_in_time_on_the_ninetieth_day(measured: Measured, signed: str, in_time: int) -> None:
    """2025-01-30 to 2025-04-30 is 90 days: 1 + 28 + 31 + 30."""
    row = contract("1", signed_on=date.fromisoformat(signed), registered_on=date(2025, 4, 30))
    assert measured(st_contract=[row])["A"]["technology_contracts_registered_in_time"] == in_time


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        ({"kind": "技术转让"}, 1),
        ({"kind": "技术许可"}, 1),
        ({"kind": "技术服务"}, 0),
        ({"kind": "技术转让", "registered_on": date(2023, 11, 24)}, 1),
        ({"kind": "技术转让", "registered_on": date(2023, 11, 23)}, 0),
        ({"kind": "技术转让", "event": "撤销"}, 0),
        ({"kind": "技术转让", "role": "buyer"}, 0),
    ],
)
def test_transfers_and_licences_sold_in_three_years(measured: Measured, fields: dict[str, Any], counted: int) -> None:
    assert measured(st_contract=[contract("1", **fields)])["A"]["technology_transfers_3y"] == counted


def test_what_was_paid_to_universities_in_the_closed_year_is_read_to_the_cent(measured: Measured) -> None:
    rows = [
        contract("1", role="buyer", seller_kind="高校院所", payments="2024@9;2025@12.345678;2026@3"),
        contract("2", role="buyer", seller_kind="高校院所", payments="2025@0.000001"),
        contract("3", role="buyer", payments="2025@50"),
        contract("4", role="buyer", seller_kind="高校院所"),
    ]
    assert measured(st_contract=rows)["A"]["paid_to_academies_yuan"] == D("123456.79")


# --- projects and awards -----------------------------------------------------------------------------------------


def test_a_project_led_counts_one_and_a_project_joined_a_half(measured: Measured) -> None:
    rows = [
        project("1"),
        project("2", level="国家", role="参与"),
        project("3", level="市"),
        project("4", level="区", role="参与"),
        project("5", approved_on=date(2024, 11, 24), role="参与"),
        project("6", approved_on=date(2024, 11, 23)),
    ]
    a = measured(st_proj=rows)["A"]
    assert a["provincial_projects_2y"] == D("2.0")
    assert a["local_projects_2y"] == 2


@pytest.mark.parametrize(
    ("fields", "due", "in_time"),
    [
        ({"accepted_on": date(2025, 6, 30), "result": "合格"}, 1, 1),
        ({"accepted_on": date(2025, 7, 1), "result": "合格"}, 1, 0),
        ({"accepted_on": date(2025, 6, 1), "result": "不合格"}, 1, 0),
        ({"accepted_on": date(2025, 6, 1), "result": "结题"}, 1, 0),
        ({}, 1, 0),
        ({"due_on": AS_OF}, 1, 0),
        ({"due_on": date(2026, 11, 24)}, 0, 0),
        ({"due_on": date(2023, 11, 23), "accepted_on": date(2023, 6, 1), "result": "合格"}, 0, 0),
    ],
)
def test_a_project_is_accepted_in_time_up_to_its_last_day(
    measured: Measured, fields: dict[str, Any], due: int, in_time: int
) -> None:
    row = project("1", **{"approved_on": date(2020, 1, 1), "due_on": date(2025, 6, 30)} | fields)
    a = measured(st_proj=[row])["A"]
    assert (a["projects_due_3y"], a["projects_accepted_in_time_3y"]) == (due, in_time)


def test_only_conversion_projects_that_were_accepted_are_conversions(measured: Measured) -> None:
    done = {"accepted_on": date(2024, 1, 1), "result": "合格"}
    rows = [
        project("1", programme="成果转化", **done),
        project("2", programme="成果转化"),
        project("3", programme="成果转化", **done | {"result": "不合格"}),
        project("4", **done),
    ]
    assert measured(st_proj=rows)["A"]["conversion_projects_accepted_3y"] == 1


@pytest.mark.parametrize(
    ("fields", "provincial", "local"),
    [
        ({}, 1, 0),
        ({"level": "国家", "unit_rank": 5}, 1, 0),
        ({"unit_rank": 6}, 0, 0),
        ({"level": "市", "unit_rank": 6}, 0, 1),
        ({"kind": "创新创业大赛", "level": "国家"}, 0, 1),
        ({"kind": "专利奖"}, 0, 0),
        ({"status": "撤销"}, 0, 0),
        ({"awarded_on": date(2024, 11, 23)}, 0, 0),
    ],
)
def test_awards_of_two_years(measured: Measured, fields: dict[str, Any], provincial: int, local: int) -> None:
    a = measured(st_award=[award("1", **fields)])["A"]
    assert (a["provincial_awards_2y"], a["local_awards_and_contests_2y"]) == (provincial, local)


@pytest.mark.parametrize(
    ("prizes", "level"),
    [
        ([("市", "金奖")], 1),
        ([("省", "优秀奖"), ("市", "金奖")], 2),
        ([("国家", "优秀奖")], 3),
        ([("国家", "银奖")], 4),
        ([("国家", "金奖")], 4),
    ],
)
def test_the_best_patent_prize_of_three_years_decides(
    measured: Measured, prizes: list[tuple[str, str]], level: int
) -> None:
    rows = [award(str(i), kind="专利奖", level=of, grade=grade) for i, (of, grade) in enumerate(prizes)]
    old = award("old", kind="专利奖", level="国家", grade="金奖", awarded_on=date(2023, 11, 23))
    assert measured(st_award=[*rows, old])["A"]["patent_award_level_3y"] == level


# --- co-operation ------------------------------------------------------------------------------------------------


def test_an_agreement_and_the_contract_that_carries_it_out_are_one_project(measured: Measured) -> None:
    bought = {"role": "buyer", "seller_kind": "高校院所"}
    contracts = [
        contract("C1", **bought),
        contract("C2", **bought),
        contract("C3", **bought | {"kind": "技术服务"}),
        contract("C4", **bought | {"event": "撤销"}),
        contract("C5", buyer_kind="高校院所"),
        contract("C6"),
    ]
    agreements = [
        cooperation("H1", contract_no="C1"),
        cooperation("H2", begins_on=date(2023, 1, 1), ends_on=date(2025, 1, 1)),
        cooperation("H3", begins_on=date(2023, 1, 1), ends_on=date(2024, 12, 31)),
        cooperation("H4", begins_on=date(2026, 1, 1)),
        cooperation("H5", partner_kind="企业"),
        cooperation("H6", begins_on=date(2023, 1, 1), status="终止", published_on=date(2024, 6, 30)),
        cooperation("H7", begins_on=date(2023, 1, 1), status="终止", published_on=date(2025, 6, 30)),
    ]
    # C1 = H1, C2, C5, H2, H7
    assert measured(st_contract=contracts, st_coop=agreements)["A"]["academy_projects"] == 5


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        ({}, 1),
        ({"kind": "联合创新中心", "partner_kind": "产研院"}, 1),
        ({"partner_kind": "企业"}, 0),
        ({"ends_on": AS_OF}, 1),
        ({"ends_on": date(2026, 11, 22)}, 0),
        ({"status": "终止", "ends_on": date(2027, 1, 1), "published_on": date(2026, 9, 30)}, 0),
        ({"kind": "合作协议"}, 0),
    ],
)
def test_joint_platforms_stand_on_the_day(measured: Measured, fields: dict[str, Any], counted: int) -> None:
    row = cooperation("1", **{"kind": "联合实验室"} | fields)
    assert measured(st_coop=[row])["A"]["joint_platforms"] == counted


def test_a_consortium_led_counts_twice_and_an_open_call_in_both_lists_once(measured: Measured) -> None:
    member = {"role": "参与", "level": "市"}
    records = [
        cooperation("1", "创新联合体", role="牵头", level="省"),
        cooperation("2", "产业技术联盟", **member),
        cooperation("3", "产业技术联盟", **member | {"begins_on": date(2024, 11, 23)}),
        cooperation("BE7", "揭榜挂帅", **member),
    ]
    projects = [
        project("BE7", programme="揭榜挂帅"),
        project("XQ8", programme="揭榜挂帅", level="区"),
        project("BE9"),
    ]
    a = measured(st_coop=records, st_proj=projects)["A"]
    assert a["consortium_participations_2y"] == 2 + 1 + 2


def test_instrument_sharing_is_of_the_closed_year(measured: Measured) -> None:
    rows = [
        cooperation("1", "仪器共享", amount_yuan="1000.50"),
        cooperation("2", "仪器共享", amount_yuan="0.25", begins_on=date(2025, 12, 31)),
        cooperation("3", "仪器共享", amount_yuan="9.00", begins_on=date(2026, 1, 1)),
    ]
    assert measured(st_coop=rows)["A"]["instrument_sharing_yuan"] == D("1000.75")


# --- policies ----------------------------------------------------------------------------------------------------


def test_what_was_returned_takes_away_from_what_was_paid(measured: Measured) -> None:
    rows = [
        redemption("P1", "已拨付", "2025-11-24", "50000.00"),
        redemption("P1", "已退回", "2026-05-01", "20000.00"),
        redemption("P2", "已拨付", "2025-11-23", "7.00"),
        redemption("P2", "已退回", "2026-05-01", "7.00"),
        redemption("P3", "已拨付", "2026-01-05", "300.00", category="人才"),
        redemption("P3", "已退回", "2026-02-05", "300.00", category="人才"),
        redemption("P4", "已拨付", "2026-01-05", "1.50", category="平台"),
        redemption("P5", "已拨付", "2026-01-05", "9.00", category="稳岗就业"),
    ]
    a = measured(pol_cash=rows)["A"]
    assert a["policy_funds_1y_yuan"] == D("30001.50")
    assert a["policy_categories_1y"] == 2


def test_vouchers_are_of_the_closed_year(measured: Measured) -> None:
    rows = [
        redemption(f"V{i}", "已拨付", day, amount, category="创新券")
        for i, (day, amount) in enumerate([("2024-12-31", "1"), ("2025-01-01", "20"), ("2025-12-31", "300")])
    ]
    assert measured(pol_cash=rows)["A"]["innovation_vouchers_yuan"] == D("320.00")


def test_the_take_up_looks_only_at_policies_that_were_found_to_fit(measured: Measured) -> None:
    rows = [
        redemption("P1", "符合条件", "2026-01-05"),
        redemption("P1", "符合条件", "2026-02-05"),
        redemption("P1", "已拨付", "2026-03-05", "10.00"),
        redemption("P2", "符合条件", "2026-01-05"),
        redemption("P2", "已拨付", "2026-03-05", "10.00"),
        redemption("P2", "已退回", "2026-04-05", "10.00"),
        redemption("P3", "已拨付", "2026-03-05", "10.00"),
        redemption("P4", "符合条件", "2025-11-23"),
        redemption("P5", "符合条件", "2025-11-24"),
    ]
    a = measured(pol_cash=rows)["A"]
    assert (a["policies_redeemed_1y"], a["policies_entitled_1y"]) == (1, 3)


def test_two_registers_that_tell_one_figure_must_both_have_come() -> None:
    tables = conformed({})
    del tables["st_contract"]
    row = measure(tables, AS_OF).to_pylist()[0]
    assert row["academy_projects"] is None
    assert row["joint_platforms"] == 0
