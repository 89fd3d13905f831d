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


# --- platforms ---------------------------------------------------------------------------------------------------


def platform(number: str, kind: str = "工程技术研究中心", level: str = "市级", **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "list_batch": "平台名单20240630",
        "line_no": 1,
        "platform_no": number,
        "platform_name": f"智能装备{number}{kind}",
        "kind": kind,
        "level": level,
        "approved_on": date(2024, 6, 1),
        "status": "有效",
        "published_on": date(2024, 6, 30),
    } | fields


def later(row: dict[str, Any], day: str, **fields: Any) -> dict[str, Any]:
    """The same line in a later list."""
    return row | {"list_batch": f"后{day}", "published_on": date.fromisoformat(day)} | fields


def test_platforms_are_counted_by_what_they_are_and_ranked_by_level(measured: Measured) -> None:
    rows = [
        platform("1", level="区级"),
        platform("2", kind="企业技术中心"),
        platform("3", kind="研究生工作站", level="省级"),
        platform("4", kind="博士后创新实践基地", level="市级"),
        platform("5", kind="重点实验室", level="国家级", valid_until=date(2026, 11, 22)),
    ]
    a = measured(st_plat=rows)["A"]
    assert (a["valid_platforms"], a["municipal_research_units"], a["talent_stations"]) == (4, 2, 2)
    assert a["highest_platform_level"] == 3
    assert measured(st_plat=[*rows[:4], rows[4] | {"valid_until": AS_OF}])["A"]["highest_platform_level"] == 4


def test_joint_platforms_of_the_lists_are_the_valid_ones_of_their_two_kinds(measured: Measured) -> None:
    rows = [
        platform("1", kind="联合实验室"),
        platform("2", kind="联合创新中心", level="省级"),
        platform("3", kind="联合实验室", valid_until=date(2026, 11, 22)),
        platform("4", kind="重点实验室"),
    ]
    found = measured(st_plat=rows)
    assert (found["A"]["joint_platforms_listed"], found["B"]["joint_platforms_listed"]) == (2, 0)


def test_a_unit_that_has_risen_under_its_name_is_no_longer_one_of_the_city(measured: Measured) -> None:
    rows = [
        platform("1", platform_name="智能装备（常州）研究中心"),
        platform("2", platform_name="智能装备(常州) 研究中心", level="省级"),
        platform("3", platform_name="传动技术中心"),
        platform("4", platform_name="传动技术中心", level="区级"),
    ]
    assert measured(st_plat=rows)["A"]["municipal_research_units"] == 1
    # Once the provincial one is cancelled, the city's stands again.
    rows.append(later(rows[1], "2025-05-30", status="取消"))
    assert measured(st_plat=rows)["A"]["municipal_research_units"] == 2


@pytest.mark.parametrize(("day", "counted"), [("2024-11-23", 0), ("2024-11-24", 1), ("2026-11-23", 1)])
def test_new_provincial_platforms_are_those_of_the_last_two_years(measured: Measured, day: str, counted: int) -> None:
    rows = [platform("1", level="省级", approved_on=date.fromisoformat(day))]
    assert measured(st_plat=rows)["A"]["provincial_platforms_2y"] == counted


def test_a_cancellation_of_the_same_day_goes_last_and_old_lists_do_not_revive_it(measured: Measured) -> None:
    row = platform("1", level="省级")
    rows = [row, later(row, "2025-05-30", status="取消"), later(row, "2025-05-30", line_no=9)]
    a = measured(st_plat=rows)["A"]
    assert (a["valid_platforms"], a["highest_platform_level"]) == (0, 0)


def test_the_appraisal_is_each_platforms_last_and_of_those_the_best(measured: Measured) -> None:
    one, two, gone = platform("1"), platform("2"), platform("3")
    rows = [one, two, gone]
    assert measured(st_plat=rows)["A"]["platform_appraisal_grade"] is None
    rows += [
        later(one, "2025-11-12", appraisal_year=2025, appraisal_result="优秀"),
        later(one, "2026-11-12", appraisal_year=2026, appraisal_result="不合格"),
        later(two, "2024-11-12", appraisal_year=2024, appraisal_result="合格"),
        later(gone, "2024-11-12", appraisal_year=2024, appraisal_result="优秀"),
        later(gone, "2025-05-30", status="取消"),
    ]
    assert measured(st_plat=rows)["A"]["platform_appraisal_grade"] == 1
    assert measured(st_plat=rows[:1] + rows[3:5])["A"]["platform_appraisal_grade"] == 0


# --- incubators --------------------------------------------------------------------------------------------------


def tenancy(number: str, kind: str = "孵化器", level: str = "省级", **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "list_batch": "入驻名单20231020",
        "line_no": 1,
        "record_no": number,
        "carrier_kind": kind,
        "carrier_level": level,
        "relation": "入驻",
        "since": date(2023, 3, 1),
        "until": date(2028, 2, 28),
        "status": "有效",
        "published_on": date(2023, 10, 20),
    } | fields


@pytest.mark.parametrize(
    ("graduated", "level"), [("2023-11-23", 0), ("2023-11-24", 3), ("2026-11-23", 3), ("2026-11-24", 3)]
)
def test_a_tenant_counts_for_three_years_after_graduation(measured: Measured, graduated: str, level: int) -> None:
    rows = [tenancy("1", graduated_on=date.fromisoformat(graduated))]
    assert measured(st_incub=rows)["A"]["incubator_tenancy_level"] == level


def test_the_highest_carrier_counts_a_maker_space_is_the_lowest_rung_and_who_left_is_no_tenant(
    measured: Measured,
) -> None:
    maker = tenancy("1", kind="众创空间", level="国家级")
    city = tenancy("2", level="市级")
    left = tenancy("3", level="国家级")
    pilot = tenancy("4", kind="中试基地", level="国家级")
    ended = tenancy("5", level="国家级", until=date(2026, 11, 22))
    a = measured(st_incub=[maker, pilot, ended])["A"]
    assert a["incubator_tenancy_level"] == 1
    a = measured(st_incub=[maker, city, left, later(left, "2025-10-20", status="退出")])["A"]
    assert (a["incubator_tenancy_level"], a["own_carrier_level"]) == (2, 0)


def test_operating_counts_from_the_city_up_and_a_maker_space_does_not(measured: Measured) -> None:
    def operated(kind: str, level: str) -> int:
        rows = [tenancy("1", kind=kind, level=level, relation="运营", until=None)]
        found = measured(st_incub=rows)["A"]
        assert found["incubator_tenancy_level"] == 0
        return found["own_carrier_level"]

    assert [operated("加速器", level) for level in ("区级", "市级", "省级", "国家级")] == [0, 1, 2, 3]
    assert operated("概念验证中心", "国家级") == 3
    assert operated("众创空间", "国家级") == 0


# --- the industry bureau's recognitions --------------------------------------------------------------------------


def recognition(kind: str, number: str = "1", level: str = "省级", **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "list_batch": "名单20241215",
        "line_no": 1,
        "recognition": kind,
        "level": level,
        "certificate_no": number,
        "recognised_on": date(2024, 11, 20),
        "status": "有效",
        "published_on": date(2024, 12, 15),
    } | fields


def test_the_highest_rung_in_force_counts_for_three_years_where_no_end_is_printed(measured: Measured) -> None:
    champion = recognition("制造业单项冠军企业", "1", "国家级", recognised_on=date(2023, 11, 23))
    giant = recognition("专精特新小巨人企业", "2", "国家级", recognised_on=date(2023, 11, 24))
    special = recognition("专精特新中小企业", "3", valid_until=AS_OF)
    assert measured(miit_qual=[champion, giant, special])["A"]["sme_ladder_level"] == 3
    withdrawn = later(giant, "2026-03-20", status="撤销")
    assert measured(miit_qual=[champion, giant, special, withdrawn])["A"]["sme_ladder_level"] == 2
    assert measured(miit_qual=[recognition("创新型中小企业")])["A"]["sme_ladder_level"] == 1


def test_factories_count_by_their_level_until_withdrawn(measured: Measured) -> None:
    rows = [
        recognition("智能车间", "1", "市级", recognised_on=date(2016, 1, 1)),
        recognition("绿色工厂", "2", "省级"),
        recognition("两化融合贯标示范", "3", "国家级", status="撤销"),
    ]
    a = measured(miit_qual=rows)["A"]
    assert (a["smart_green_level"], a["sme_ladder_level"]) == (2, 0)


def test_first_sets_are_events_of_three_years_from_the_province_up(measured: Measured) -> None:
    rows = [
        recognition("首台(套)重大装备", "1", recognised_on=date(2023, 11, 23)),
        recognition("首批次新材料", "2", recognised_on=date(2023, 11, 24)),
        recognition("首版次软件", "3", "国家级"),
        recognition("新技术新产品", "4", "市级"),
        recognition("新技术新产品", "5", status="撤销"),
    ]
    assert measured(miit_qual=rows)["A"]["first_sets_3y"] == 2


# --- talents -----------------------------------------------------------------------------------------------------


def talent(kind: str, number: str, person: str = "p1", **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "list_batch": "人才名单20240910",
        "line_no": 1,
        "person": person,
        "kind": kind,
        "certificate_no": number,
        "selected_on": date(2024, 8, 1),
        "employment": "在职参保",
        "status": "有效",
        "published_on": date(2024, 9, 10),
    } | fields


def test_a_national_talent_counts_twice_and_a_person_once_by_the_highest_plan(measured: Measured) -> None:
    rows = [
        talent("国家级人才计划", "1"),
        talent("省级人才计划", "2"),
        talent("省级人才计划", "3", "p2"),
        talent("省级人才计划", "4", "p3", valid_until=date(2026, 11, 22)),
        talent("省级人才计划", "5", "p4", employment="在职未参保"),
        talent("市级领军人才", "6", "p4", employment="在职未参保"),
        talent("区级人才项目", "7", "p4"),
        talent("市级领军人才", "8", "p1"),
    ]
    a = measured(hr_talent=rows)["A"]
    assert (a["provincial_talents"], a["municipal_talents"]) == (3, 2)


def test_who_has_left_or_was_struck_off_counts_no_more(measured: Measured) -> None:
    stays, left, struck = (
        talent("省级人才计划", "1"),
        talent("省级人才计划", "2", "p2"),
        talent("省级人才计划", "3", "p3"),
    )
    rows = [
        stays,
        left,
        struck,
        later(left, "2026-04-18", employment="离职"),
        later(struck, "2026-04-18", status="取消"),
    ]
    assert measured(hr_talent=rows)["A"]["provincial_talents"] == 1


def test_overseas_experts_need_a_permit_in_force_or_a_certified_degree(measured: Measured) -> None:
    rows = [
        talent("外国专家工作许可", "1", "p1", valid_until=AS_OF),
        talent("外国专家工作许可", "2", "p2", valid_until=date(2026, 11, 22)),
        talent("留学归国人员", "3", "p3", degree_certified="是"),
        talent("留学归国人员", "4", "p4", degree_certified="否"),
        talent("留学归国人员", "5", "p5"),
        talent("留学归国人员", "6", "p1", degree_certified="是"),
    ]
    a = measured(hr_talent=rows)["A"]
    assert (a["overseas_experts"], a["provincial_talents"]) == (2, 0)
