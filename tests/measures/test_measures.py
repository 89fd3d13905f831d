"""Figures computed on paper, subject by subject. Firm A has the records, firm B has none."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.contracts import contracts
from include.measures.registry import measures, subjects
from include.measures.run import measure, measured_schema
from tests.measures.conftest import AS_OF, FIRM, Measured, conformed

D = Decimal
# What an enterprise must send itself; every other dataset names everybody concerned.
REPORTS = {"REG_ENT", "TAX_CIT", "TAX_RDD", "TAX_HNTE", "TAX_VAT", "TAX_PAY", "TAX_FIN", "HR_INS", "HR_STAFF"}
REGISTERS = contracts().keys() - REPORTS


def yearly(uscc: str, year: int, **fields: Any) -> dict[str, Any]:
    """A record of one year, whatever the dataset calls its year."""
    return {
        "uscc": uscc,
        "filing_id": f"{uscc}{year}",
        "tax_year": year,
        "period_from": date(year, 1, 1),
        "period_to": date(year, 12, 31),
        "first_filed_on": date(year + 1, 5, 20),
        "correction_no": 0,
        "received_at": datetime.fromisoformat(f"{year + 1}-05-21"),
    } | fields


def form_row(uscc: str, year: int, form: str, version: str, row: int, amount: str, **fields: Any) -> dict[str, Any]:
    return yearly(uscc, year, form_code=form, form_version=version, row_number=row, amount_yuan=amount, **fields)


def publication(uscc: str, application: str, kind: str, **fields: Any) -> dict[str, Any]:
    """A publication record of A's own patent, alone and valid, filed 2020-11-23 and published 2025-06-01."""
    return {
        "uscc": uscc,
        "application_no": f"CN{application}",
        "publication_no": f"{application}{kind}",
        "kind": kind,
        "application_date": date(2020, 11, 23),
        "publication_date": date(2025, 6, 1),
        "is_filer": 1,
        "inventors": "i1;i2",
        "ipc": "H01L21/02",
        "legal_status": "有效",
        "legal_status_date": date(2025, 6, 1),
        "owners": 1,
        "updated_at": datetime.fromisoformat("2025-06-05"),
    } | fields


# --- what absence means ------------------------------------------------------------------------------------------


def test_reports_that_are_not_held_are_unknown_and_registers_that_name_nobody_are_zero(measured: Measured) -> None:
    b = measured()["B"]
    registers = {m.name for m in measures().values() if REGISTERS & set(m.datasets)}
    # Of nothing there is no mean, no grade and no best.
    registers -= {"mean_age_of_valid_inventions_years", "public_credit_grade", "platform_appraisal_grade"}
    assert {name: b[name] for name in registers} == dict.fromkeys(registers, 0)
    known = registers | {"uscc", "age_years", "industry_tier", "average_wage_yuan"}
    known |= {"flag_industry_without_ipc", "flag_st_staff_not_from_a107041"}
    assert {name for name, value in b.items() if value is not None} == known


def test_a_dataset_that_was_not_delivered_leaves_its_measures_unknown() -> None:
    only_registry = {"enterprises": conformed({})["enterprises"]}
    row = measure(only_registry, AS_OF).to_pylist()[0]
    of_registry = {m.name for m in measures().values() if set(m.datasets) <= {"REG_ENT"}}
    unknown = {name for name, value in row.items() if value is None}
    assert unknown >= set(measures()) - of_registry


def test_measures_asked_for_alone_are_what_they_are_among_all() -> None:
    returns = [form_row("A", 2025, "A100000", "2022", 1, "3000000")]
    tables = conformed({"tax_cit": returns, "ip_pat": [publication("A", "CN1", "A")]})
    every = measure(tables, AS_OF)
    for subject in subjects().values():
        names = [one.name for one in subject.outputs][::2]
        assert measure(tables, AS_OF, only=names).equals(every.select(["uscc", *names])), subject.name
    assert measure(tables, AS_OF, only=()).column_names == ["uscc"]


def test_a_zero_in_a_record_is_a_zero(measured: Measured) -> None:
    a = measured(
        tax_cit=[form_row("A", 2025, "A100000", "2022", 1, "0.00")],
        tax_rdd=[yearly("A", 2025, rd_expense_yuan=0, super_deduction_yuan=0)],
        tax_pay=[
            {
                "uscc": "A",
                "record_kind": "入库",
                "tax_kind": "社会保险费",
                "occurred_on": date(2025, 3, 1),
                "amount_yuan": 9,
            }
        ],
        hr_ins=[{"uscc": "A", "unit_no": "1", "month": date(2025, 12, 1), "insured": 0, "graduates_insured": 0}],
    )["A"]
    zeros = ("operating_revenue_yuan", "rd_expense_deduction_yuan", "super_deduction_years", "tax_paid_yuan")
    assert [a[name] for name in (*zeros, "insured_headcount", "insured_december", "graduates_hired")] == [0] * 7
    assert a["flag_operating_revenue_provisional"] == 0


# --- enterprise --------------------------------------------------------------------------------------------------


def test_age_is_in_years_of_365_and_a_quarter_days(measured: Measured) -> None:
    # 2015-03-01 to 2026-11-23 is 4285 days; 4285 * 4 / 1461 = 11.73169…
    assert measured()["A"]["age_years"] == D("11.7317")


def test_the_highest_tier_whose_prefix_fits_counts(measured: Measured) -> None:
    tiers = {"3562": 3, "3511": 2, "7519": 1, "5179": 0, "35": 0, None: None}
    firms = [FIRM | {"uscc": str(code), "industry_code": code} for code in tiers]
    found = measured(enterprises=firms)
    assert {code: found[str(code)]["industry_tier"] for code in tiers} == tiers


# --- tax ---------------------------------------------------------------------------------------------------------


def test_a_form_row_is_read_by_the_meaning_it_has_in_its_form_version(measured: Measured) -> None:
    # Row 4 of A105050 is the training expense in layout 2017 and nothing of ours in 2022, where it is row 6.
    old = [form_row("A", 2021, "A105050", "2017", 1, "100"), form_row("A", 2021, "A105050", "2017", 4, "7")]
    new = [form_row("A", 2025, "A105050", "2022", row, amount) for row, amount in ((2, "900"), (4, "5"), (6, "8.5"))]
    a = measured(tax_cit=old + new)["A"]
    assert (a["wages_yuan"], a["training_expense_yuan"]) == (900, D("8.50"))
    a = measured(as_of=date(2023, 5, 31), tax_cit=old + new)["A"]
    assert (a["wages_yuan"], a["training_expense_yuan"]) == (100, 7)


def test_the_closed_year_moves_on_the_first_of_june(measured: Measured) -> None:
    rows = [form_row("A", year, "A100000", "2022", 1, str(year)) for year in (2022, 2023, 2024, 2025)]
    before, after = (measured(as_of=day, tax_cit=rows)["A"] for day in (date(2026, 5, 31), date(2026, 6, 1)))
    series = ("operating_revenue_yuan", "operating_revenue_yuan_prior1", "operating_revenue_yuan_prior3")
    assert [before[name] for name in series] == [2024, 2023, None]
    assert [after[name] for name in series] == [2025, 2024, 2022]


def test_of_two_registrations_the_return_that_arrived_last_stands(measured: Measured) -> None:
    later = {"filing_id": "Z", "taxpayer_no": "old", "received_at": datetime.fromisoformat("2026-06-30")}
    rows = [
        form_row("A", 2025, "A100000", "2022", 1, "500"),
        form_row("A", 2025, "A100000", "2022", 2, "300"),
        form_row("A", 2025, "A100000", "2022", 1, "510", **later),
    ]
    a = measured(tax_cit=rows)["A"]
    assert (a["operating_revenue_yuan"], a["operating_cost_yuan"]) == (510, None)


def test_vat_stands_in_for_revenue_only_beside_it_and_is_flagged(measured: Measured) -> None:
    quarters = [
        {"uscc": "A", "filing_id": str(q), "period_from": date(2025, q, 1), "sales_yuan": 250, "export_sales_yuan": 50}
        for q in (1, 4, 7, 10)
    ]
    a = measured(tax_vat=quarters)["A"]
    assert (a["operating_revenue_yuan"], a["operating_revenue_vat_yuan"], a["export_sales_yuan"]) == (None, 1000, 200)
    assert a["flag_operating_revenue_provisional"] == 1
    filed = measured(tax_vat=quarters, tax_cit=[form_row("A", 2025, "A100000", "2022", 1, "980")])["A"]
    assert (filed["operating_revenue_yuan"], filed["flag_operating_revenue_provisional"]) == (980, 0)


def test_tax_paid_is_what_came_in_less_refunds_without_levies_credits_and_exports(measured: Measured) -> None:
    def voucher(kind: str, tax: str | None, amount: int, day: date = date(2025, 12, 31)) -> dict[str, Any]:
        return {"uscc": "A", "record_kind": kind, "tax_kind": tax, "amount_yuan": amount, "occurred_on": day}

    a = measured(
        tax_pay=[
            voucher("入库", "增值税", 1000),
            voucher("入库", "企业所得税", 500),
            voucher("退库", "企业所得税", 60),
            voucher("入库", "社会保险费", 300),
            voucher("入库", "个人所得税代扣", 40),
            voucher("留抵退税", "增值税", 200),
            voucher("出口退税", "增值税", 100),
            voucher("入库", "增值税", 9999, date(2026, 1, 1)),
        ]
    )["A"]
    assert a["tax_paid_yuan"] == 1440


def test_the_latest_credit_rating_counts(measured: Measured) -> None:
    def rating(year: int, grade: str) -> dict[str, Any]:
        return {
            "uscc": "A",
            "record_kind": "信用评价",
            "rating_year": year,
            "rating": grade,
            "occurred_on": date(year + 1, 4, 1),
        }

    assert measured(tax_pay=[rating(2025, "M"), rating(2024, "A")])["A"]["tax_credit_rating"] == 2
    assert measured(tax_pay=[rating(2025, "D")])["A"]["tax_credit_rating"] == 0


def test_a_return_is_on_time_until_31_may(measured: Measured) -> None:
    def filed(day: date) -> dict[str, Any]:
        row = form_row("A", 2025, "A100000", "2022", 1, "1", first_filed_on=day, correction_no=2)
        return measured(tax_cit=[row])["A"]

    assert [filed(date(2026, 5, day))["cit_filed_on_time"] for day in (30, 31)] == [1, 1]
    assert filed(date(2026, 6, 1))["cit_filed_on_time"] == 0
    assert filed(date(2026, 6, 1))["cit_correction_no"] == 2


# --- research and finance ----------------------------------------------------------------------------------------


def test_research_figures_follow_the_closed_year_and_its_predecessors(measured: Measured) -> None:
    rdd = [
        yearly("A", 2025, rd_expense_yuan=400, super_deduction_yuan=400)
        | {"pilot_tooling_yuan": 1, "samples_yuan": 2, "trial_inspection_yuan": 4},
        yearly("A", 2024, rd_expense_yuan=300, super_deduction_yuan=0),
        yearly("A", 2023, rd_expense_yuan=200, super_deduction_yuan=150),
        yearly("A", 2022, rd_expense_yuan=100, super_deduction_yuan=75),
    ]  # fmt: skip
    hnte = [yearly("A", 2025, st_staff=12, staff=40, sales_yuan=5000), yearly("A", 2024, st_staff=10)]
    a = measured(tax_rdd=rdd, tax_hnte=hnte)["A"]
    assert [a[f"rd_expense_deduction_yuan{s}"] for s in ("", "_prior1", "_prior2", "_prior3")] == [400, 300, 200, 100]
    assert (a["rd_pilot_yuan"], a["super_deduction_years"]) == (7, 2)
    assert (a["st_staff"], a["st_staff_prior1"], a["staff"], a["hnte_sales_yuan"]) == (12, 10, 40, 5000)
    assert a["flag_st_staff_not_from_a107041"] == 0


def test_only_yearly_statements_count_and_a_missing_opening_is_last_years_close(measured: Measured) -> None:
    def statement(year: int, kind: str, net: int, opening: int | None = None) -> dict[str, Any]:
        return yearly(
            "A",
            year,
            statement_id=f"{year}{kind}",
            period_kind=kind,
            net_assets_yuan=net,
            net_assets_opening_yuan=opening,
        )

    rows = [statement(2025, "年报", 50), statement(2025, "季报", 77), statement(2024, "年报", -80, 5)]
    a = measured(tax_fin=rows)["A"]
    assert (a["net_assets_yuan"], a["net_assets_yuan_prior1"], a["net_assets_opening_yuan"]) == (50, -80, -80)
    assert a["flag_average_net_assets_not_positive"] == 1
    assert measured(tax_fin=[statement(2025, "年报", 50, 20)])["A"]["net_assets_opening_yuan"] == 20


def test_intangible_assets_leave_land_out_and_are_unknown_only_if_nothing_is_stated(measured: Measured) -> None:
    def intangible(**fields: int) -> Any:
        return measured(tax_fin=[yearly("A", 2025, period_kind="年报", **fields)])["A"]["intangible_assets_yuan"]

    assert intangible(intangible_assets_yuan=90, land_use_rights_yuan=60, development_expenditure_yuan=5) == 35
    assert intangible(development_expenditure_yuan=5) == 5
    assert intangible() is None


# --- people ------------------------------------------------------------------------------------------------------


def headcount(unit: str, months: list[date], insured: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"uscc": "A", "unit_no": unit, "month": month, "insured": insured} | fields for month in months]


def month_range(first: date, count: int) -> list[date]:
    return [date(first.year + (first.month - 1 + i) // 12, (first.month - 1 + i) % 12 + 1, 1) for i in range(count)]


def test_headcount_is_the_mean_of_the_months_held_over_all_units(measured: Measured) -> None:
    year = month_range(date(2025, 1, 1), 12)
    rows = headcount("1", year, 10) + headcount("2", year[:1], 1)
    a = measured(hr_ins=rows)["A"]
    assert a["insured_headcount"] == D("10.08")  # 121 / 12 = 10.0833…
    assert (a["insured_january"], a["insured_december"], a["insured_december_prior1"]) == (11, 10, None)
    half = measured(hr_ins=headcount("1", year[6:8], 10) + headcount("2", year[6:7], 1))["A"]
    assert half["insured_headcount"] == D("10.50")
    eighth = measured(hr_ins=headcount("1", year[:8], 10) + headcount("2", year[:1], 1))["A"]
    assert eighth["insured_headcount"] == D("10.13")  # 81 / 8 = 10.125, half up


def test_graduates_cumulate_over_the_year_and_add_over_units(measured: Measured) -> None:
    year = month_range(date(2025, 1, 1), 12)
    rows = headcount("1", year[:11], 10, graduates_insured=1) + headcount("1", year[11:], 10, graduates_insured=4)
    rows += headcount("2", year[8:9], 3, graduates_insured=2)
    assert measured(hr_ins=rows)["A"]["graduates_hired"] == 6


def test_continuity_spreads_quarterly_returns_over_their_months(measured: Measured) -> None:
    # As of 2026-11-23 the window is 2024-10 to 2026-09. Insured all along, one month with nobody; VAT: the two last
    # quarters of 2024 (the earlier one outside) and monthly from 2026-01 to 2026-10 (the last one outside).
    people = headcount("1", month_range(date(2024, 1, 1), 34), 5)
    people[28]["insured"] = 0  # 2026-05
    periods = [(date(2024, 7, 1), date(2024, 9, 30)), (date(2024, 10, 1), date(2024, 12, 31))]
    periods += [(month, date(2026, month.month, 28)) for month in month_range(date(2026, 1, 1), 10)]
    returns = [{"uscc": "A", "period_from": start, "period_to": end, "sales_yuan": 1} for start, end in periods]
    assert measured(hr_ins=people, tax_vat=returns)["A"]["operating_months"] == 3 + 8
    assert measured(hr_ins=people)["A"]["operating_months"] is None
    # Nobody loses a month to the calendar: until the end of January the window stands still.
    assert measured(as_of=date(2027, 1, 31), hr_ins=people, tax_vat=returns)["A"]["operating_months"] == 11


def test_staff_structure_is_the_last_quarter_reported_in_the_year(measured: Measured) -> None:
    def quarter(unit: str, end: date, posts: int) -> dict[str, Any]:
        return {
            "uscc": "A",
            "unit_no": unit,
            "quarter_end": end,
            "rd_posts": posts,
            "masters": 2,
            "doctors": 1,
            "staff": 9,
        }

    rows = [
        quarter("1", date(2025, 6, 30), 50),
        quarter("1", date(2025, 9, 30), 5),
        quarter("2", date(2025, 9, 30), 6),
        quarter("1", date(2026, 3, 31), 70),
        quarter("1", date(2024, 12, 31), 8),
    ]
    a = measured(hr_staff=rows)["A"]
    assert (a["rd_posts"], a["rd_posts_prior1"], a["postgraduates"], a["registered_staff"]) == (11, 8, 6, 18)


# --- patents -----------------------------------------------------------------------------------------------------


def test_a_and_b_publications_of_one_application_are_one_patent(measured: Measured) -> None:
    a_record = publication(
        "A", "202010000001.1", "发明公布", publication_date=date(2021, 5, 1), legal_status="实质审查"
    )
    b_record = publication("A", "202010000001.1", "发明授权")
    for rows in ([a_record, b_record], [b_record | {"application_no": "ZL2020100000011"}, a_record]):
        a = measured(ip_pat=rows)["A"]
        assert (a["class1_ip_count"], a["granted_patents"], a["inventions_concluded_5y"]) == (1, 1, 1)
        assert (a["valid_inventions"], a["invention_grants"]) == (1, 1)


def test_a_number_of_before_2003_is_the_same_patent_with_and_without_its_letters(measured: Measured) -> None:
    granted = publication("A", "97101765.4", "发明授权")
    for number in ("CN97101765.4", "ZL97101765.4", "ZL971017654", "97101765.4"):
        corrected = granted | {"application_no": number, "publication_no": "published again with a correction"}
        a = measured(ip_pat=[granted, corrected])["A"]
        assert (a["granted_patents"], a["class1_ip_count"], a["valid_inventions"]) == (1, 1, 1)


def test_a_valid_application_record_alone_is_no_valid_patent(measured: Measured) -> None:
    a = measured(ip_pat=[publication("A", "202010000001.1", "发明公布")])["A"]
    assert (a["valid_inventions"], a["granted_patents"]) == (0, 0)


def test_co_owners_share_and_three_thirds_make_one(measured: Measured) -> None:
    shared = [publication("A", f"20201000000{i}.1", "发明授权", owners=3) for i in (1, 2, 3)]
    a = measured(ip_pat=shared[:1])["A"]
    assert (a["valid_inventions"], a["invention_grants"], a["class1_ip_count"]) == (D("0.33"), D("0.33"), 1)
    assert measured(ip_pat=shared[:2])["A"]["valid_inventions"] == D("0.67")
    assert measured(ip_pat=shared)["A"]["valid_inventions"] == D("1.00")


def test_what_was_bought_is_owned_but_neither_filed_nor_granted_to_the_buyer(measured: Measured) -> None:
    bought = publication(
        "A", "202510000001.1", "发明授权",
        is_filer=0, application_date=date(2025, 1, 5), transactions="转让@2026-01-01",
    )  # fmt: skip
    a = measured(ip_pat=[bought])["A"]
    assert a["valid_inventions"] == 1
    names = ("invention_grants", "invention_applications", "patents_filed", "inventions_concluded_5y")
    assert [a[name] for name in (*names, "patent_licences_and_sales_3y")] == [0] * 5


def test_applications_of_the_year_and_before(measured: Measured) -> None:
    rows = [
        publication(
            "A", f"2025100000{i:02}.1", kind, application_date=day, publication_date=date(2026, 5, 1), owners=owners
        )
        for i, (kind, day, owners) in enumerate(
            [
                ("发明公布", date(2025, 1, 1), 2),
                ("发明公布", date(2025, 12, 31), 1),
                ("实用新型", date(2025, 7, 1), 1),
                ("发明公布", date(2024, 12, 31), 1),
                ("发明公布", date(2023, 1, 1), 4),
                ("发明公布", date(2022, 12, 31), 1),
            ]
        )
    ]
    a = measured(ip_pat=rows)["A"]
    series = [a[f"invention_applications{suffix}"] for suffix in ("", "_prior1", "_prior2")]
    assert series == [D("1.50"), 1, D("0.25")]
    assert (a["inventions_filed"], a["patents_filed"]) == (2, 3)


def test_main_business_by_concordance(measured: Measured) -> None:
    cases = [
        ("3562", "H01L21/02(2006.01),G06F9/50(2006.01)", 1, 0),
        ("3562", "G06F9/50；H04L1/00", 0, 0),
        ("3562", None, 1, 0),
        ("7320", "A47B1/00", 1, 1),  # research institutes have no line in the concordance
        (None, "A47B1/00", 1, 1),
    ]
    firms, patents, pcts = [], [], []
    for i, (code, ipc, _, _) in enumerate(cases):
        firms.append(FIRM | {"uscc": str(i), "industry_code": code})
        patents.append(publication(str(i), "202510000001.1", "发明公布", application_date=date(2025, 3, 1), ipc=ipc))
        pct = {"international_no": "PCT/CN2025/990001", "international_date": date(2025, 9, 1), "owners": 2}
        pcts.append(pct | {"uscc": str(i), "ipc": ipc})
    found = measured(enterprises=firms, ip_pat=patents, ip_pct=pcts)
    for i, (_, _, main, flag) in enumerate(cases):
        row = found[str(i)]
        counts = (row["main_business_inventions"], row["main_business_pct_applications"])
        assert counts == (main, D("0.50") * main), cases[i]
        assert (row["invention_applications"], row["flag_industry_without_ipc"]) == (1, flag), cases[i]


def test_the_grant_rate_counts_what_was_concluded_in_five_years(measured: Measured) -> None:
    def refused(number: int, status: str, day: date) -> dict[str, Any]:
        return publication("A", f"20191000000{number}.1", "发明公布", legal_status=status, legal_status_date=day)

    rows = [
        publication("A", "201910000001.1", "发明授权", legal_status="未缴年费终止", legal_status_date=date(2026, 1, 1)),
        refused(2, "驳回", date(2021, 11, 24)),
        refused(3, "视为撤回", date(2021, 11, 23)),  # five years ago to the day: out
        refused(4, "撤回", date(2026, 11, 22)),
        refused(5, "实质审查", date(2025, 1, 1)),
    ]
    a = measured(ip_pat=rows)["A"]
    assert (a["inventions_granted_5y"], a["inventions_concluded_5y"]) == (1, 3)
    assert (a["granted_patents"], a["granted_patents_valid"]) == (1, 0)


def test_mean_age_is_over_whole_valid_inventions(measured: Measured) -> None:
    rows = [
        publication("A", "202010000001.1", "发明授权", owners=2),  # 2020-11-23: 2191 days
        publication("A", "202310000001.1", "发明授权", application_date=date(2023, 11, 23)),  # 1096 days
        publication("A", "201010000001.1", "实用新型", application_date=date(2010, 1, 1)),
    ]
    # (2191 + 1096) / 2 / 365.25 = 4.49966…
    assert measured(ip_pat=rows)["A"]["mean_age_of_valid_inventions_years"] == D("4.4997")


def test_high_value_conditions(measured: Measured) -> None:
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 0),
        ({"strategic_industry": "新材料"}, 1),
        ({"strategic_industry": ""}, 0),
        ({"application_date": date(2016, 11, 23)}, 1),
        ({"application_date": date(2016, 11, 24)}, 0),
        ({"pledge_yuan": "1000000.00"}, 1),
        ({"pledge_yuan": "999999.99"}, 0),
        ({"award": "中国专利优秀奖"}, 1),
        ({"award": "市专利金奖"}, 0),
        ({"strategic_industry": "新材料", "legal_status": "未缴年费终止"}, 0),
        ({"strategic_industry": "新材料", "kind": "实用新型"}, 0),
    ]
    firms = [FIRM | {"uscc": str(i)} for i in range(len(cases))]
    patents = [publication(str(i), "202010000001.1", "发明授权") | fields for i, (fields, _) in enumerate(cases)]
    found = measured(enterprises=firms, ip_pat=patents)
    assert [found[str(i)]["high_value_inventions"] for i in range(len(cases))] == [high for _, high in cases]


def test_a_valid_grant_abroad_makes_a_high_value_invention_and_counts_for_five_years(measured: Measured) -> None:
    def family(grants: str) -> dict[str, Any]:
        pct = {
            "uscc": "A",
            "international_no": "PCT/CN2021/990001",
            "priority_no": "CN2020100000011",
            "grants": grants,
            "owners": 1,
        }
        return measured(ip_pat=[publication("A", "202010000001.1", "发明授权")], ip_pct=[pct])["A"]

    two = family("US@2021-11-24@有效;EP@2021-11-23@有效;JP@2025-01-01@失效")
    assert (two["high_value_inventions"], two["overseas_grants_valid"]) == (1, 1)
    assert family("US@2024-01-01@失效")["high_value_inventions"] == 0
    assert family("")["overseas_grants_valid"] == 0


def test_licences_and_part_sales_of_three_years(measured: Measured) -> None:
    rows = [
        publication(
            "A", "202010000001.1", "发明授权", transactions="许可@2023-11-24;许可@2023-11-23;开放许可@2025-02-02"
        ),
        publication("A", "202010000002.1", "发明授权", transactions="转让@2025-02-02", owners=2),
        publication("A", "202010000003.1", "发明授权", transactions="许可@2027-01-01"),
    ]
    assert measured(ip_pat=rows)["A"]["patent_licences_and_sales_3y"] == 3


def test_inventors_are_counted_once_over_three_years(measured: Measured) -> None:
    rows = [
        publication("A", f"{year}10000001.1", "实用新型", application_date=date(year, 5, 1), inventors=inventors)
        for year, inventors in ((2025, "x;y"), (2023, "y;z;"), (2022, "w"), (2026, "v"))
    ]
    assert measured(ip_pat=rows)["A"]["inventors_3y"] == 3


# --- qualifications ----------------------------------------------------------------------------------------------


def line(qualification: str, number: str, issued: date, status: str = "有效", **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A", "qualification": qualification, "certificate_no": number, "issued_on": issued,
        "status": status, "published_on": issued, "list_batch": "1", "line_no": 1,
    } | fields  # fmt: skip


def test_a_certificate_lasts_three_years_from_its_issue(measured: Measured) -> None:
    def held(issued: date, **fields: Any) -> tuple[int, int]:
        a = measured(st_qual=[line("高新技术企业", "GR1", issued, **fields)])["A"]
        return a["holds_high_tech_certificate"], a["high_tech_in_closed_year"]

    assert held(date(2023, 11, 24)) == (1, 1)
    assert held(date(2023, 11, 23)) == (0, 1)
    assert held(date(2023, 11, 1), valid_until=AS_OF) == (1, 1)
    assert held(date(2026, 10, 1)) == (1, 0)  # certified after the closed year: no A107041 for it


def test_a_cancelled_certificate_is_not_revived_by_an_older_list(measured: Measured) -> None:
    valid, cancelled = (
        line("高新技术企业", "GR1", date(2024, 11, 1)),
        line("高新技术企业", "GR1", date(2024, 11, 1), "取消"),
    )
    cancelled["published_on"] = date(2026, 5, 20)
    for rows in ([valid, cancelled], [cancelled, valid]):
        assert measured(st_qual=rows)["A"]["holds_high_tech_certificate"] == 0
    again = line("高新技术企业", "GR2", date(2026, 6, 1))
    assert measured(st_qual=[valid, cancelled, again])["A"]["holds_high_tech_certificate"] == 1


def test_the_other_lists(measured: Measured) -> None:
    rows = [
        line("科技型中小企业", "1", date(2026, 3, 31)),
        line("市瞪羚企业", "2", date(2025, 11, 1)),
        line("潜在独角兽企业", "3", date(2020, 11, 1)),
        line("省瞪羚企业", "4", date(2024, 11, 1)),
        line("区主导产业企业", "5", date(2025, 11, 1)),
    ]
    a = measured(st_qual=rows)["A"]
    assert (a["holds_tech_sme"], a["high_growth_level"], a["lead_industry_listed"]) == (1, 2, 1)
    old = measured(st_qual=[line("科技型中小企业", "1", date(2025, 12, 31))])["A"]
    assert old["holds_tech_sme"] == 0  # without a printed end it lasts to the end of its year


# --- the table as a whole ----------------------------------------------------------------------------------------


def everything() -> dict[str, pa.Table]:
    """Some rows of every subject for A and B."""
    months = month_range(date(2024, 1, 1), 34)
    rows: dict[str, list[dict[str, Any]]] = {
        "tax_cit": [form_row(u, y, "A100000", "2022", r, f"{y}.5") for u in "AB" for y in (2024, 2025) for r in (1, 2)],
        "tax_rdd": [yearly(u, y, rd_expense_yuan=y, super_deduction_yuan=1) for u in "AB" for y in (2024, 2025)],
        "tax_fin": [yearly("B", 2025, period_kind="年报", net_assets_yuan=5)],
        "hr_ins": [{"uscc": u, "unit_no": u, "month": m, "insured": 7} for u in "AB" for m in months],
        "tax_vat": [{"uscc": "B", "period_from": m, "period_to": m, "sales_yuan": 3} for m in months],
        "ip_pat": [
            publication(u, f"20201000000{i}.1", kind, owners=3)
            for u in "AB"
            for i in (1, 2)
            for kind in ("发明公布", "发明授权")
        ],
        "st_qual": [line("市瞪羚企业", "2", date(2025, 11, 1)), line("高新技术企业", "1", date(2025, 1, 1), uscc="B")],
    }  # fmt: skip
    return conformed(rows)


def test_the_order_of_rows_changes_nothing() -> None:
    tables = everything()
    backwards = {
        name: table.take(pa.array(range(table.num_rows - 1, -1, -1), pa.int64())) for name, table in tables.items()
    }
    assert measure(tables, AS_OF).equals(measure(backwards, AS_OF))


def test_one_enterprise_alone_measures_as_it_does_among_others() -> None:
    tables = everything()
    whole = measure(tables, AS_OF).to_pylist()
    for row in whole:
        alone = {name: table.filter(pc.equal(table["uscc"], row["uscc"])) for name, table in tables.items()}
        assert measure(alone, AS_OF).to_pylist() == [row]


def test_the_wide_table_has_one_sorted_row_per_enterprise_in_the_declared_types() -> None:
    table = measure(everything(), AS_OF)
    assert table.schema == measured_schema()
    assert table["uscc"].to_pylist() == ["A", "B"]
    kinds = {(measure.decimals, str(table.schema.field(name).type)) for name, measure in measures().items()}
    assert kinds == {(0, "int64"), (1, "decimal128(24, 1)"), (2, "decimal128(24, 2)"), (4, "decimal128(24, 4)")}


# --- public credit, equity, banks --------------------------------------------------------------------------------


def credit_record(number: str, kind: str, decided: str, **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "record_no": number,
        "record_kind": kind,
        "decided_on": date.fromisoformat(decided),
        "state": "有效",
    } | fields


def penalty(number: str, decided: str, severity: str, **fields: Any) -> dict[str, Any]:
    said = {"penalty_field": "安全生产", "severity": severity} | fields
    return credit_record(number, "行政处罚", decided, **said)


def test_penalties_count_for_three_years_from_the_day_after_in_two_fields_unless_revoked(measured: Measured) -> None:
    rows = [
        penalty("1", "2023-11-24", "一般"),  # as of 2026-11-23 the window begins after 2023-11-23
        penalty("2", "2023-11-23", "一般"),
        penalty("3", "2026-01-01", "较大", penalty_field="生态环境"),
        penalty("4", "2026-01-01", "较大", penalty_field="市场监管"),
        penalty("5", "2026-01-01", "较大", state="撤销"),
    ]
    a = measured(reg_risk=rows)["A"]
    assert (a["general_penalties_3y"], a["serious_penalties_3y"], a["veto_major_accident"]) == (1, 1, 0)


def test_a_major_accident_counts_as_serious_and_vetoes_for_three_years(measured: Measured) -> None:
    for decided, expected in (("2023-11-24", (1, 1)), ("2023-11-23", (0, 0))):
        a = measured(reg_risk=[penalty("1", decided, "重大")])["A"]
        assert (a["serious_penalties_3y"], a["veto_major_accident"]) == expected
    revoked = measured(reg_risk=[penalty("1", "2026-01-01", "重大", state="撤销")])["A"]
    assert revoked["veto_major_accident"] == 0


def test_an_abnormal_listing_counts_one_while_it_stands_and_half_for_three_years_after(measured: Measured) -> None:
    removals = {None: "1.0", "2026-11-24": "1.0", "2026-11-23": "0.5", "2023-11-24": "0.5", "2023-11-23": "0.0"}
    for removed, expected in removals.items():
        on = date.fromisoformat(removed) if removed else None
        a = measured(reg_risk=[credit_record("1", "经营异常", "2020-05-01", removed_on=on)])["A"]
        assert a["abnormal_listings"] == D(expected), removed
    both = [
        credit_record("1", "经营异常", "2025-05-01"),
        credit_record("2", "经营异常", "2024-05-01", removed_on=date(2025, 1, 1)),
    ]
    assert measured(reg_risk=both)["A"]["abnormal_listings"] == D("1.5")


def test_dishonesty_vetoes_as_long_as_the_listing_stands(measured: Measured) -> None:
    for kind in ("严重违法失信", "科研失信"):
        for removed, expected in ((None, 1), (date(2026, 11, 24), 1), (date(2026, 11, 23), 0)):
            a = measured(reg_risk=[credit_record("1", kind, "2025-01-01", removed_on=removed)])["A"]
            assert (a["veto_dishonest"], a["abnormal_listings"]) == (expected, 0)


def test_the_grade_is_that_of_the_newest_year_and_unknown_before_the_first(measured: Measured) -> None:
    rows = [
        credit_record("1", "公共信用评价", "2026-03-20", grade_year=2025, grade="差"),
        credit_record("2", "公共信用评价", "2026-06-20", grade_year=2024, grade="优"),
    ]
    found = measured(reg_risk=rows)
    assert (found["A"]["public_credit_grade"], found["B"]["public_credit_grade"]) == (0, None)
    assert found["B"]["general_penalties_3y"] == 0
    levels = {"优": 3, "良": 2, "中": 1, "差": 0}
    for grade, level in levels.items():
        row = credit_record("1", "公共信用评价", "2026-03-20", grade_year=2025, grade=grade)
        assert measured(reg_risk=[row])["A"]["public_credit_grade"] == level


def test_without_the_credit_platform_nothing_is_known_and_nobody_is_cleared() -> None:
    tables = conformed({})
    del tables["reg_risk"]
    row = measure(tables, AS_OF).to_pylist()[0]
    names = [m.name for m in measures().values() if m.datasets == ("REG_RISK",)]
    assert {"veto_dishonest", "general_penalties_3y"} <= set(names)
    assert [row[name] for name in names] == [None] * len(names)


def round_of(number: str, amount: str, **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "record_no": number,
        "record_kind": "实缴出资",
        "investor_kind": "私募基金",
        "fund_filing_no": f"S{number}",
        "related_party": "否",
        "paid_in_yuan": amount,
        "happened_on": date(2025, 1, 1),
        "state": "有效",
    } | fields


def test_venture_capital_is_what_unrelated_institutions_paid_in_within_three_years(measured: Measured) -> None:
    rows = [
        round_of("1", "1000000.01"),
        round_of("2", "2000000", investor_kind="国有引导基金", happened_on=date(2023, 11, 24)),
        round_of("3", "4000000", investor_kind="产业资本", happened_on=date(2023, 11, 23)),
        round_of("4", "8000000", related_party="是"),
        round_of("5", "8000000", investor_kind="自然人"),
        round_of("6", "8000000", investor_kind="员工持股平台"),
        round_of("7", "8000000", state="撤销"),
        round_of("8", "8000000", related_party=None),
        round_of("9", "8000000", record_kind="基金持股"),
    ]
    found = measured(fin_eq=rows)
    assert (found["A"]["venture_capital_3y_yuan"], found["B"]["venture_capital_3y_yuan"]) == (D("3000000.01"), 0)


def test_a_fund_counts_once_until_it_leaves(measured: Measured) -> None:
    rows = [
        round_of("1", "1", record_kind="基金持股"),
        round_of("2", "1", record_kind="基金持股", fund_filing_no="S1", happened_on=date(2026, 1, 1)),
        round_of("3", "1", record_kind="基金持股", investor_kind="国有引导基金", ended_on=date(2026, 11, 24)),
        round_of("4", "1", record_kind="基金持股", ended_on=date(2026, 11, 23)),
        round_of("5", "1", record_kind="基金持股", investor_kind="产业资本"),
        round_of("6", "1", record_kind="基金持股", fund_filing_no=None),
    ]
    assert measured(fin_eq=rows)["A"]["fund_shareholders"] == 2


def test_the_highest_step_that_still_stands_counts(measured: Measured) -> None:
    def step(name: str, **fields: Any) -> dict[str, Any]:
        return round_of(name, "0", record_kind="上市进程", listing_step=name, **fields)

    levels = {"股份制改造": 1, "市级上市后备": 2, "辅导备案": 3, "新三板挂牌": 3, "境内外上市": 4}
    for name, level in levels.items():
        assert measured(fin_eq=[step(name)])["A"]["listing_step"] == level
    fallen = [step("股份制改造"), step("境内外上市", ended_on=AS_OF), step("市级上市后备", state="撤销")]
    assert measured(fin_eq=fallen)["A"]["listing_step"] == 1


def credit_line(number: str, bank: str, product: str = "创新贷", **fields: Any) -> dict[str, Any]:
    return {
        "uscc": "A",
        "bank": bank,
        "month": date(2026, 10, 1),
        "contract_no": number,
        "product": product,
        "credit_line_yuan": "100",
        "line_valid_until": AS_OF,
        "loan_balance_yuan": "60.5",
        "granted_on": date(2025, 11, 24),
        "granted_yuan": "80",
        "ip_pledged": "否",
    } | fields


def test_science_credit_leaves_plain_loans_out_and_counts_a_bank_once(measured: Measured) -> None:
    rows = [
        credit_line("1", "江苏银行"),
        credit_line("2", "江苏银行", "苏科贷"),
        credit_line("3", "中国银行", "流动资金贷款"),
        credit_line("4", "上海银行", line_valid_until=date(2026, 11, 22)),  # run out yesterday, still owed
        credit_line("5", "南京银行", credit_line_yuan="0"),
    ]
    found = measured(fin_loan=rows)
    assert (found["A"]["science_loan_balance_yuan"], found["A"]["science_credit_banks"]) == (D("242.00"), 1)
    assert (found["B"]["science_loan_balance_yuan"], found["B"]["science_credit_banks"]) == (0, 0)


def test_a_pledge_loan_needs_a_registration_and_counts_for_a_year(measured: Measured) -> None:
    pledged = {"ip_pledged": "是", "pledge_registration_no": "Y1"}
    rows = [
        credit_line("1", "江苏银行", "流动资金贷款", **pledged),
        credit_line("2", "江苏银行", **pledged | {"granted_on": date(2025, 11, 23), "granted_yuan": "1000"}),
        credit_line("3", "江苏银行", **pledged | {"pledge_registration_no": None, "granted_yuan": "2000"}),
        credit_line("4", "江苏银行", pledge_registration_no="Y4", granted_yuan="4000"),
    ]
    assert measured(fin_loan=rows)["A"]["ip_pledge_loans_1y_yuan"] == D("80.00")
