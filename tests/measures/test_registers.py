"""What registers and lists say of an enterprise, on paper: firm A is named in them, firm B is not."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.measures.conftest import AS_OF, Measured

D = Decimal


def right(kind: str, number: str, **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "record_no": number,
        "kind": kind,
        "registered_on": date(2025, 4, 1),
        "status": "有效",
        "owners": 1,
        "updated_at": datetime.fromisoformat("2025-04-10"),
    } | fields


def certificate(system: str, number: str = "1", **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "record_no": number,
        "record_kind": "认证证书",
        "management_system": system,
        "issued_on": date(2024, 1, 10),
        "valid_until": date(2027, 1, 9),
        "status": "有效",
    } | fields


def standard(level: str, role: str, number: str = "S1", **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "record_no": f"{number}#{role}",
        "record_kind": "标准",
        "standard_no": number,
        "standard_level": level,
        "role": role,
        "issued_on": date(2024, 1, 10),
        "status": "现行",
    } | fields


# --- other intellectual property ---------------------------------------------------------------------------------


def test_layouts_varieties_and_drugs_are_class_one_and_software_is_class_two(measured: Measured) -> None:
    kinds = ["集成电路布图设计", "植物新品种权", "国家级农作物品种", "国家新药", "国家一级中药保护品种"]
    rows = [right(kind, str(i)) for i, kind in enumerate([*kinds, "计算机软件著作权", "计算机软件著作权"])]
    a = measured(ip_other=rows)["A"]
    assert (a["other_class1_ip_count"], a["software_copyrights_valid"]) == (5, 2)
    assert a["software_and_layouts_registered"] == 3


def test_a_right_counts_until_its_last_day_and_not_once_it_is_struck_off(measured: Measured) -> None:
    rows = [
        right("集成电路布图设计", "1", valid_until=AS_OF),
        right("集成电路布图设计", "2", valid_until=date(2026, 11, 22)),
        right("集成电路布图设计", "3", status="撤销"),
        right("集成电路布图设计", "4", status="终止"),
    ]
    a = measured(ip_other=rows)["A"]
    assert a["other_class1_ip_count"] == 1
    # Registered in 2025: all but the one that was struck off as if it had never been.
    assert a["software_and_layouts_registered"] == 3


@pytest.mark.parametrize(
    ("day", "counted"), [("2024-12-31", 0), ("2025-01-01", 1), ("2025-12-31", 1), ("2026-01-01", 0)]
)
def test_registrations_are_those_of_the_closed_year(measured: Measured, day: str, counted: int) -> None:
    a = measured(ip_other=[right("计算机软件著作权", "1", registered_on=date.fromisoformat(day))])["A"]
    assert a["software_and_layouts_registered"] == counted


def test_the_highest_model_level_counts_for_three_years_where_no_end_is_printed(measured: Measured) -> None:
    model = "知识产权示范优势企业"
    rows = [
        right(model, "1", level="国家优势", registered_on=date(2023, 11, 23)),  # its last day was 2026-11-22
        right(model, "2", level="省级", registered_on=date(2023, 11, 24)),
        right(model, "3", level="市级", registered_on=date(2026, 1, 1)),
    ]
    assert measured(ip_other=rows)["A"]["ip_model_enterprise_level"] == 2
    printed = right(model, "1", level="国家示范", registered_on=date(2020, 1, 1), valid_until=AS_OF)
    assert measured(ip_other=[*rows, printed])["A"]["ip_model_enterprise_level"] == 4


# --- certificates and standards ----------------------------------------------------------------------------------


def test_two_certificates_of_one_system_are_one_and_the_ip_system_stands_apart(measured: Measured) -> None:
    rows = [
        certificate("质量管理体系", "1"),
        certificate("质量管理体系", "2"),
        certificate("环境管理体系", "3", valid_until=AS_OF),
        certificate("能源管理体系", "4", valid_until=date(2026, 11, 22)),
        certificate("信息安全管理体系", "5", status="暂停"),
        certificate("知识产权合规管理体系", "6"),
    ]
    a = measured(std_cert=rows)["A"]
    assert (a["management_systems_certified"], a["ip_management_certified"]) == (2, 1)
    b = measured(std_cert=rows)["B"]
    assert (b["management_systems_certified"], b["ip_management_certified"]) == (0, 0)


def test_standards_weigh_by_level_and_half_where_the_enterprise_joined(measured: Measured) -> None:
    rows = [
        standard("国际", "主导", "1"),
        standard("国家", "参与", "2"),
        standard("行业", "参与", "3"),
        standard("地方", "主导", "4"),
        standard("团体", "参与", "5"),
    ]
    # 4 + 2/2 + 1.5/2 + 1 + 1/2
    assert measured(std_cert=rows)["A"]["standards_weighted"] == D("7.25")


def test_a_standard_counts_once_by_the_greatest_part_within_five_years_and_while_it_is_in_force(
    measured: Measured,
) -> None:
    rows = [
        standard("行业", "参与", "1"),
        standard("行业", "主导", "1"),
        standard("国家", "主导", "2", status="废止"),
        standard("团体", "主导", "3", issued_on=date(2021, 11, 23)),
        standard("团体", "参与", "4", issued_on=date(2021, 11, 24)),
    ]
    assert measured(std_cert=rows)["A"]["standards_weighted"] == D("2.00")
