"""Conforming: one enterprise key, superseded filings dropped, names linked only on exact equality."""

from collections import Counter
from datetime import date, datetime

import pyarrow as pa
import pytest

from include.conformed.conform import conform, quarantined_pairs
from include.conformed.enterprises import participants
from include.conformed.register import Register
from include.conformed.unresolved import settled, subject, unresolved
from include.contracts import Contract, require_contract

A, B, YOUNG = "91320411YY00000018", "91320411YY00000026", "91320411YY00000034"
IN_BUSINESS = "存续（在营、开业、在册）"


def accepted(contract: Contract, rows: list[dict]) -> pa.Table:
    """Rows of an accepted table; fields that a case does not mention are null."""
    names = contract.accepted_schema().names
    filled = [{name: row.get(name) for name in names} | {"_page": 1, "_ordinal": i} for i, row in enumerate(rows)]
    return pa.Table.from_pylist(filled, schema=contract.accepted_schema())


@pytest.fixture
def registry() -> pa.Table:
    firms = [
        {"uscc": A, "name": "常州甲科技有限公司", "former_names": "常州旧名有限公司@2023-05-01", "state": IN_BUSINESS},
        {"uscc": B, "name": "常州乙(江苏)有限公司", "state": IN_BUSINESS},
        {"uscc": YOUNG, "name": "常州丙有限公司", "state": IN_BUSINESS, "established_on": date(2026, 1, 2)},
        {"uscc": "91320411YY00000042", "name": "常州丁有限公司", "state": "注销"},
    ]
    return accepted(require_contract("REG_ENT"), [{"established_on": date(2015, 3, 1)} | firm for firm in firms])


def test_a_firm_takes_part_from_the_day_it_is_one_full_year_old(registry: pa.Table) -> None:
    def taking_part(as_of: date) -> list[str]:
        return participants(registry, "320411", as_of)["uscc"].to_pylist()

    assert taking_part(date(2027, 1, 1)) == [A, B]
    assert taking_part(date(2027, 1, 2)) == [A, B, YOUNG]


def test_the_latest_correction_replaces_the_whole_filing_and_void_filings_never_count(registry: pa.Table) -> None:
    contract = require_contract("TAX_CIT")

    def row(filing: str, line: int, correction: int, void: str = "N", filed: date = date(2026, 5, 20)) -> dict:
        return {
            "filing_id": filing, "uscc": A, "taxpayer_no": A, "period_from": date(2025, 1, 1), "form_code": "A100000",
            "row_number": line, "correction_no": correction, "void_flag": void, "filed_on": filed,
        }  # fmt: skip

    rows = [
        row("f0", 1, 0),
        row("f0", 2, 0),
        row("f1", 1, 1, filed=date(2026, 9, 1)),
        row("f2", 1, 2, void="Y", filed=date(2026, 10, 1)),
    ]
    table = conform(contract, accepted(contract, rows), Register.of(registry, 365), pa.array([A])).table
    assert table.schema == contract.conformed_schema()
    assert table.select(["filing_id", "row_number"]).to_pylist() == [{"filing_id": "f1", "row_number": 1}]
    assert table["first_filed_on"].to_pylist() == [date(2026, 5, 20)]


def test_of_statements_that_list_everybody_only_the_newest_of_each_bank_holds(registry: pa.Table) -> None:
    contract = require_contract("FIN_LOAN")

    def row(bank: str, month: int, number: str, name: str) -> dict:
        return {
            "bank": bank, "month": date(2026, month, 1), "reported_on": date(2026, month + 1, 5), "contract_no": number,
            "enterprise_name": name, "granted_on": date(2024, 1, 1),
        }  # fmt: skip

    rows = [
        row("江苏银行", 9, "1", "常州甲科技有限公司"),
        row("江苏银行", 10, "2", "常州丙有限公司"),  # A has left the list, and nobody of ours is on it any more
        row("中国银行", 9, "3", "常州旧名有限公司"),
        row("中国银行", 9, "4", "常州乙（江苏）有限公司"),
        row("中国银行", 8, "3", "常州旧名有限公司"),
    ]
    table = conform(contract, accepted(contract, rows), Register.of(registry, 365), pa.array([A, B])).table
    assert table.schema == contract.conformed_schema()
    linked = table.select(["uscc", "bank", "contract_no"]).to_pylist()
    assert linked == [
        {"uscc": A, "bank": "中国银行", "contract_no": "3"},
        {"uscc": B, "bank": "中国银行", "contract_no": "4"},
    ]
    assert set(table["month"].to_pylist()) == {date(2026, 9, 1)}


def test_co_owners_are_counted_and_former_names_and_full_width_brackets_link(registry: pa.Table) -> None:
    contract = require_contract("IP_PAT")
    rows = [
        {
            "publication_no": "CN1A",
            "assignees": "常州旧名有限公司；常州乙（江苏）有限公司; 某大学",
            "legal_status": "有效",
        },
        {"publication_no": "CN2A", "assignees": "常州甲科技股份有限公司"},
    ]
    table = conform(contract, accepted(contract, rows), Register.of(registry, 365), pa.array([A, B])).table
    linked = table.select(["uscc", "publication_no", "owners"]).to_pylist()
    assert linked == [
        {"uscc": A, "publication_no": "CN1A", "owners": 3},
        {"uscc": B, "publication_no": "CN1A", "owners": 3},
    ]


def test_who_stands_among_the_applicants_has_filed_in_whatever_spelling_of_its_names(registry: pa.Table) -> None:
    contract = require_contract("IP_PAT")
    owners = "常州甲科技有限公司;常州乙（江苏）有限公司"
    filers = {
        "常州甲科技有限公司": (1, 0),
        "某大学；常州旧名有限公司": (1, 0),
        "常州乙(江苏)有限公司;常州甲科技有限公司": (1, 1),
        "常州乙（江蘇）有限公司": (0, 1),
        "常州\u200b甲科技有限公司;;": (1, 0),
        "常州甲科技股份有限公司": (0, 0),
        "某大学": (0, 0),
    }
    rows = [
        {"publication_no": f"CN{i}A", "assignees": owners, "applicants": text, "application_date": date(2024, 1, 1)}
        for i, text in enumerate(filers)
    ]
    table = conform(contract, accepted(contract, rows), Register.of(registry, 3650), pa.array([A, B])).table
    found = {(row["publication_no"], row["uscc"]): row["is_filer"] for row in table.to_pylist()}
    assert found == {
        (f"CN{i}A", uscc): told
        for i, both in enumerate(filers.values())
        for uscc, told in zip((A, B), both, strict=True)
    }


def test_a_patent_that_was_sold_leaves_its_seller(registry: pa.Table) -> None:
    contract = require_contract("IP_PAT")
    rows = [
        {
            "publication_no": "CN1B",
            "assignees": "常州甲科技有限公司",
            "updated_at": datetime.fromisoformat("2025-01-01"),
        },
        {
            "publication_no": "CN1B",
            "assignees": "常州乙（江苏）有限公司",
            "updated_at": datetime.fromisoformat("2026-01-01"),
        },
    ]
    for versions in (rows, rows[::-1]):
        table = conform(contract, accepted(contract, versions), Register.of(registry, 365), pa.array([A, B])).table
        assert table["uscc"].to_pylist() == [B]
    sold_away = conform(contract, accepted(contract, rows), Register.of(registry, 365), pa.array([A])).table
    assert sold_away.num_rows == 0


def told(register: Register, codes: list[str | None], names: list[str | None]) -> list[tuple[str | None, str]]:
    """(uscc, tier) of records of 2026 with a code and a name."""
    days = pa.array([date(2026, 1, 1)] * len(names))
    uscc, tier = register.resolve([pa.array(codes, pa.string())], pa.array(names, pa.string()), days)
    return list(zip(uscc.to_pylist(), tier.to_pylist(), strict=True))


def test_a_district_links_to_its_own_and_says_who_is_registered_elsewhere(registry: pa.Table) -> None:
    register = Register.of(registry, 1000).within(pa.array([B]))
    assert told(register, [A, None, None], [None, "常州旧名有限公司", "常州乙（江苏）有限公司"]) == [
        (None, "code_not_registered_here"),
        (None, "code_not_registered_here"),
        (B, "exact"),
    ]
    assert told(register, [B], ["常州甲科技有限公司"]) == [(None, "two_enterprises")]


def test_quarantined_rows_are_traced_to_their_enterprise(registry: pa.Table) -> None:
    quarantine = pa.table({"entity": ["常州甲科技有限公司;某大学", B, None, "unknown"]})
    pairs = quarantined_pairs(require_contract("IP_PAT"), quarantine, Register.of(registry, 365))
    assert pairs == {(A, "IP_PAT"), (B, "IP_PAT")}


def test_names_and_codes_by_the_column_link_as_they_do_one_by_one(registry: pa.Table) -> None:
    """Plain spellings take the fast way, the others the careful one."""
    codes = [
        A,
        B,
        "91320411YY00000280",
        "91320411YY00000281",
        "９１320411yy0000001 8",
        "320400000012345",
        f"{A}\n",
        "",
        None,
    ]
    names = ["常州甲科技有限公司", "常州旧名有限公司", "常州 甲科技有限公司", "某大学", "abc Ltd", "", None]
    names += ["常州乙（江苏）有限公司", "常州乙[江苏]有限公司", "常州乙【江苏】有限公司", "常州甲科技有限公司\u200b"]
    pairs = [(code, name) for code in codes for name in names]
    twice = pa.concat_tables([registry, registry.slice(0, 1).set_column(0, "uscc", pa.array(["91320411YY00000099"]))])
    for register in (Register.of(registry, 365), Register.of(twice, 2000)):
        together = told(register, [code for code, _ in pairs], [name for _, name in pairs])
        assert together == [told(register, [code], [name])[0] for code, name in pairs]


def test_what_links_to_nobody_is_listed_and_counted_and_a_person_is_never_named(registry: pa.Table) -> None:
    contract = require_contract("IP_PAT")
    owners = [
        "常州甲科技股份有限公司；王小明",
        "常州甲科技股份有限公司; 常州大学",
        "李四;常州旧名有限公司",
        "SIEMENS AG",
    ]
    owners += ["常州甲科技有限公司上海分公司", "常州甲科技有限公司"]
    rows = [
        {"publication_no": f"CN{i}A", "assignees": text, "application_date": date(2026, 1, 1)}
        for i, text in enumerate(owners)
    ]
    found = conform(contract, accepted(contract, rows), Register.of(registry, 365), pa.array([A, B])).unresolved
    assert found.to_pylist() == [
        {"dataset": "IP_PAT", "tier": tier, "code": None, "name": name, "among": among, "rows": number}
        for tier, name, among, number in (
            ("branch", "常州甲科技有限公司上海分公司", None, 1),
            ("foreign", "SIEMENS AG", None, 1),
            ("institution", "常州大学", None, 1),
            ("none", "常州甲科技股份有限公司", None, 2),
            ("outdated_name", "常州旧名有限公司", A, 1),
            ("person", None, None, 2),
        )
    ]


PEOPLE = ["兰建国", "扎西多吉", "隋红梅", "王建国", "阿不都热合曼", "陈李美玲", "JOHN HARRIS", "张" * 300]
PEOPLE += ["Petrov N.V.", "Smith, A.B.", "王伟、李建设", "王伟 张建设", "王伟,常州大学", "常州市张伟"]


def test_nobody_who_may_be_a_person_is_named_and_a_short_name_is_where_somebody_is_called_so(
    registry: pa.Table,
) -> None:
    contract = require_contract("IP_PAT")
    rows = [
        {"publication_no": f"CN{i}A", "assignees": text, "application_date": date(2026, 1, 1)}
        for i, text in enumerate([";".join(PEOPLE), "恒创", "常州恒创", "恒新"])
    ]
    firm = pa.table({"uscc": [A], "name": ["江苏省常州市武进区恒创液压有限公司"], "former_names": [""]})
    found = conform(contract, accepted(contract, rows), Register.of(firm, 365), pa.array([A])).unresolved
    listed = {(row["tier"], row["name"]): row["rows"] for row in found.to_pylist()}
    assert listed == {
        ("none", "恒创"): 1,
        ("none", "常州恒创"): 1,
        ("person", None): 3,
        ("unclear", None): 11,
        ("too_long", None): 1,
    }


def test_a_person_beside_a_code_that_fails_is_not_named_and_the_code_can_be_decided(registry: pa.Table) -> None:
    """What is shown is what a decision copies: the code alone."""
    contract, code = require_contract("TAX_VAT"), "91320411YY00000019"
    register = Register.of(registry, 365)
    links = register.resolve(
        [pa.array([code] * 2)], pa.array(["扎西多吉", "丁丁模具有限公司"]), pa.nulls(2, pa.date32())
    )
    codes, names = pa.array([code] * 2), pa.array(["扎西多吉", "丁丁模具有限公司"])
    left = unresolved(contract.dataset, links, codes, names, register).to_pylist()
    assert [(row["tier"], row["code"], row["name"]) for row in left] == [
        ("code_fails_check", code, None),
        ("code_fails_check", code, "丁丁模具有限公司"),
    ]
    uscc, _ = settled(links, codes, names, {subject(code, None): A}, register)
    assert uscc.to_pylist() == [A, None]


def test_a_decision_settles_what_equality_leaves_open_and_nothing_else(registry: pa.Table) -> None:
    contract = require_contract("HR_INS")
    rows = [
        {"unit_no": "1", "uscc": A, "unit_name": "常州乙（江苏）有限公司"},
        {"unit_no": "2", "uscc": None, "unit_name": "常州甲科技 股份有限公司"},
        {"unit_no": "3", "uscc": None, "unit_name": "常州丙有限公司"},
        {"unit_no": "4", "uscc": None, "unit_name": "常州某有限公司"},
        {"unit_no": "5", "uscc": "91320411YY00000280", "unit_name": "常州甲科技股份有限公司"},
    ]
    rows = [{**row, "month": date(2026, 1, 1), "received_at": datetime.fromisoformat("2026-02-01")} for row in rows]
    decided = {
        (A, "常州乙(江苏)有限公司"): B,
        ("", "常州甲科技股份有限公司"): A,
        ("", "常州丙有限公司"): A,  # equality says YOUNG: that stands
        ("", "常州某有限公司"): None,
        ("91320411YY00000280", "常州甲科技股份有限公司"): A,  # a well-formed code of somebody elsewhere: that stands
    }

    def conformed(decided: dict) -> tuple[dict, dict]:
        found = conform(
            contract, accepted(contract, rows), Register.of(registry, 365), pa.array([A, B, YOUNG]), decided
        )
        linked = dict(zip(found.table["unit_no"].to_pylist(), found.table["uscc"].to_pylist(), strict=True))
        return linked, Counter(row["tier"] for row in found.unresolved.to_pylist())

    assert conformed({}) == ({"3": YOUNG}, {"two_enterprises": 1, "none": 2, "code_not_registered_here": 1})
    assert conformed(decided) == (
        {"1": B, "2": A, "3": YOUNG},
        {"decided_nobody": 1, "code_not_registered_here": 1},
    )


def test_a_code_beside_a_name_that_nobody_carries_links_and_waits_for_a_person(registry: pa.Table) -> None:
    """The second enterprise of a pair that somebody copied wrong may be registered nowhere here."""
    contract = require_contract("HR_INS")
    names = ["外地某某有限公司", "外地某某 有限公司", "王小明", "常州甲科技有限公司", None]
    rows = [
        {"unit_no": str(i), "uscc": A, "unit_name": name, "month": date(2026, 1, 1)} for i, name in enumerate(names)
    ]
    rows = [{**row, "received_at": datetime.fromisoformat("2026-02-01")} for row in rows]

    def conformed(decided: dict) -> tuple[list[tuple[str, str]], list[tuple]]:
        found = conform(contract, accepted(contract, rows), Register.of(registry, 365), pa.array([A, B]), decided)
        linked = [(row["unit_no"], row["uscc"]) for row in found.table.to_pylist()]
        left = [(row["tier"], row["code"], row["name"], row["among"]) for row in found.unresolved.to_pylist()]
        return sorted(linked), left

    everything = [(str(i), A) for i in range(5)]
    waits = [("other_name", A, "外地某某 有限公司", A), ("other_name", A, "外地某某有限公司", A)]
    assert conformed({}) == (everything, waits)
    assert conformed({(A, "别人有限公司"): None}) == (everything, waits)  # a decision about something else
    said = (A, "外地某某有限公司")
    assert conformed({said: A}) == (everything, [])
    assert conformed({said: B}) == ([("0", B), ("1", B), *everything[2:]], [])
    assert conformed({said: None}) == (everything[2:], [("decided_nobody", None, None, None)])


def deal(number: str, event_no: int, seller: str, buyer: str, **fields: object) -> dict:
    return {
        "registration_no": number,
        "event_no": event_no,
        "seller_name": seller,
        "buyer_name": buyer,
        "updated_at": datetime.fromisoformat(f"2026-01-0{1 + event_no}"),
    } | fields


def test_each_party_of_a_deal_has_its_row_and_only_the_last_event_stands(registry: pa.Table) -> None:
    contract = require_contract("ST_CONTRACT")
    rows = [
        deal("1", 0, "常州旧名有限公司", "常州乙（江苏）有限公司", event="登记"),
        deal("1", 1, "常州甲科技有限公司", "常州乙（江苏）有限公司", event="撤销"),
        deal("2", 0, "异地有限公司", "异地有限公司", seller_uscc=A, buyer_uscc="91320411YY00000099", event="登记"),
        deal("3", 0, "常州乙(江苏)有限公司", "异地有限公司", event="登记"),
        deal("3", 1, "异地有限公司", "异地有限公司", event="变更"),
    ]
    found = conform(contract, accepted(contract, rows), Register.of(registry, 365), pa.array([A, B]))
    assert found.table.schema == contract.conformed_schema()
    told = [(r["uscc"], r["role"], r["registration_no"], r["event"]) for r in found.table.to_pylist()]
    assert told == [(A, "seller", "1", "撤销"), (A, "seller", "2", "登记"), (B, "buyer", "1", "撤销")]


def test_a_quarantined_deal_is_remembered_for_both_parties(registry: pa.Table) -> None:
    contract = require_contract("ST_CONTRACT")
    quarantine = pa.table({"entity": [";常州甲科技有限公司;常州乙(江苏)有限公司"]})
    pairs = quarantined_pairs(contract, quarantine, Register.of(registry, 365))
    assert pairs == {(A, "ST_CONTRACT"), (B, "ST_CONTRACT")}
