"""Who is who: only equality links, on the day that the record is of."""

from datetime import date

import pyarrow as pa
import pytest

from include.conformed.register import Register

A, B, C = "91320411YY00000018", "91320411YY00000026", "91320411YY00000034"
LAG = 365


def register(*rows: tuple[str, ...]) -> Register:
    """Rows of uscc, name, former names."""
    columns = zip(*((*row, "")[:3] for row in rows), strict=True)
    return Register.of(pa.table(dict(zip(("uscc", "name", "former_names"), map(list, columns), strict=True))), LAG)


def by_name(held: Register, name: str, on: date | None = None) -> tuple[str | None, str]:
    uscc, tier = held.by_names(pa.array([name]), pa.array([on], pa.date32()))
    return uscc[0].as_py(), tier[0].as_py()


def resolve(
    held: Register, codes: tuple[str | None, ...], name: str | None, on: date | None = None
) -> tuple[str | None, str]:
    columns = [pa.array([code], pa.string()) for code in codes]
    uscc, tier = held.resolve(columns, pa.array([name], pa.string()), pa.array([on], pa.date32()))
    return uscc[0].as_py(), tier[0].as_py()


def test_a_former_name_is_believed_for_a_year_after_it_ended() -> None:
    held = register((A, "常州甲有限公司", "常州旧名有限公司@2023-05-01"))
    assert by_name(held, "常州旧名有限公司", date(2019, 1, 1)) == (A, "alias")
    assert by_name(held, "常州旧名有限公司", date(2024, 4, 30)) == (A, "alias")  # 365 days: 2024 has a 29 February
    assert by_name(held, "常州旧名有限公司", date(2024, 5, 1)) == (None, "outdated_name")
    assert by_name(held, "常州旧名有限公司") == (A, "alias")


def test_a_present_name_links_records_from_before_it_began() -> None:
    held = register((A, "常州甲有限公司", "常州旧名有限公司@2023-05-01"))
    assert by_name(held, "常州甲有限公司", date(2019, 1, 1)) == (A, "exact")


def test_a_firm_that_took_its_first_name_again_keeps_both() -> None:
    held = register((A, "常州甲有限公司", "常州甲有限公司@2020-03-01;常州乙有限公司@2022-03-01"))
    for day in (date(2019, 1, 1), date(2021, 1, 1), date(2026, 1, 1), None):
        assert by_name(held, "常州甲有限公司", day) == (A, "exact")
    assert by_name(held, "常州乙有限公司", date(2021, 1, 1)) == (A, "alias")
    assert by_name(held, "常州乙有限公司", date(2019, 1, 1))[1] == "outdated_name"
    assert by_name(held, "常州乙有限公司", date(2026, 1, 1))[1] == "outdated_name"


def test_a_name_that_passed_from_one_firm_to_another_links_by_its_day_and_to_neither_in_between() -> None:
    held = register(
        (A, "常州甲有限公司", "常州名有限公司@2020-03-01"), (B, "常州名有限公司", "常州乙有限公司@2022-03-01")
    )
    assert by_name(held, "常州名有限公司", date(2019, 1, 1))[0] == A
    assert by_name(held, "常州名有限公司", date(2022, 2, 1))[0] == B  # nobody carries it; only B ever will again
    assert by_name(held, "常州名有限公司", date(2026, 1, 1))[0] == B
    soon = register(
        (A, "常州甲有限公司", "常州名有限公司@2022-01-01"), (B, "常州名有限公司", "常州乙有限公司@2022-03-01")
    )
    assert by_name(soon, "常州名有限公司", date(2022, 6, 1)) == (None, "ambiguous")
    assert by_name(held, "常州名有限公司") == (None, "ambiguous")


def test_namesakes_and_spellings_that_fold_into_one_link_to_neither() -> None:
    held = register((A, "常州甲（江苏）有限公司"), (B, "常州甲(江苏)有限公司"))
    assert by_name(held, "常州甲（江苏）有限公司") == (None, "ambiguous")


def test_nothing_but_equality_links() -> None:
    held = register((A, "常州甲科技有限公司"))
    near = [
        "常州甲科技股份有限公司",
        "常州市甲科技有限公司",
        "甲科技有限公司",
        "常州甲科枝有限公司",
        "常州甲科技",
        "江苏甲科技有限公司",
    ]
    for name in near:
        assert by_name(held, name) == (None, "none")


@pytest.mark.parametrize("former", ["常州旧名有限公司@2023-02-30", "常州旧名有限公司@某日", "常州旧名有限公司@"])
def test_a_former_name_whose_day_cannot_be_read_is_left_to_people(former: str) -> None:
    held = register((A, "常州甲有限公司", former))
    for day in (date(2020, 1, 1), None):
        assert by_name(held, "常州旧名有限公司", day) == (None, "outdated_name")


def test_a_former_name_without_a_day_is_always_believed() -> None:
    held = register((A, "常州甲有限公司", "常州旧名有限公司；常州老名有限公司"))
    assert by_name(held, "常州旧名有限公司", date(2026, 1, 1))[0] == A
    assert by_name(held, "常州老名有限公司", date(2010, 1, 1))[0] == A


def test_a_code_decides_in_any_spelling_and_so_does_its_organisation_number() -> None:
    held = register((A, "常州甲有限公司"), (B, "常州乙有限公司"))
    for text in (
        A,
        A.lower(),
        f" {A[:9]}\u200b{A[9:]} ",
        A.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
    ):
        assert resolve(held, (text,), None) == (A, "code")
    assert resolve(held, ("YY0000001",), None) == (A, "code")
    assert resolve(held, ("YY000000-1",), None) == (A, "code")
    assert resolve(held, (None, B), "常州乙有限公司") == (B, "code")


def test_an_old_registration_number_is_a_second_identifier_unless_two_firms_have_it() -> None:
    columns = {
        "uscc": [A, B, C],
        "name": ["常州甲有限公司", "常州乙有限公司", "常州丙有限公司"],
        "former_names": pa.nulls(3, pa.string()),
        "registration_no": ["320400000012345", "320400000054321", "320400000054321"],
    }
    held = Register.of(pa.table(columns), LAG)
    assert resolve(held, ("320400000012345",), None) == (A, "code")
    assert resolve(held, ("320400000012345",), "常州乙有限公司") == (None, "two_enterprises")
    assert resolve(held, ("320400000054321",), None)[0] is None


def test_the_code_of_one_with_the_name_of_another_links_to_neither() -> None:
    held = register((A, "常州甲有限公司", "常州旧名有限公司@2023-05-01"), (B, "常州乙有限公司"))
    assert resolve(held, (A,), "常州乙有限公司") == (None, "two_enterprises")
    assert resolve(held, (A,), "常州旧名有限公司", date(2026, 1, 1)) == (A, "code")
    assert resolve(held, (A,), "某某有限公司") == (A, "other_name")  # by the code, and for a person to look at


def test_the_code_of_one_with_a_name_that_only_others_carry_or_carried_links_to_neither() -> None:
    held = register(
        (A, "常州甲有限公司"),
        (B, "常州乙有限公司", "常州旧名有限公司@2019-05-01"),
        (C, "常州乙（江苏）有限公司"),
        ("91320411YY00000042", "常州乙(江苏)有限公司"),
    )
    assert resolve(held, (A,), "常州旧名有限公司", date(2026, 1, 1)) == (None, "two_enterprises")
    assert resolve(held, (A,), "常州乙[江苏]有限公司") == (None, "two_enterprises")
    assert resolve(held, (C,), "常州乙[江苏]有限公司") == (C, "code")  # one of the namesakes: the code tells which
    assert resolve(held, (B,), "常州旧名有限公司", date(2026, 1, 1)) == (B, "code")
    for blank in ("", None):
        assert resolve(held, (A,), blank) == (A, "code")


def test_a_code_of_another_district_beside_any_name_is_that_districts() -> None:
    held = register((A, "常州甲有限公司"), (B, "常州乙有限公司")).within(pa.array([B]))
    assert resolve(held, (A,), "某某有限公司") == (None, "code_not_registered_here")
    assert resolve(held, (B,), "某某有限公司") == (B, "other_name")


def test_a_name_never_overrules_a_well_formed_code() -> None:
    held = register((A, "常州甲有限公司"))
    elsewhere = "91320411YY0000036T"
    assert resolve(held, (elsewhere,), "常州甲有限公司") == (None, "code_not_registered_here")
    assert resolve(held, ("320400000012345",), "常州甲有限公司") == (A, "exact")


def test_a_code_that_fails_its_check_digit_links_to_nobody_and_says_whom_the_name_means() -> None:
    held = register((A, "常州甲有限公司"))
    assert resolve(held, (A[:-1] + "9",), "常州甲有限公司") == (None, "code_fails_check")
    assert resolve(held, (A[:-1] + "9",), None) == (None, "code_fails_check")


def test_a_record_without_code_and_name_names_nobody() -> None:
    assert resolve(register((A, "常州甲有限公司")), (None, ""), None) == (None, "no_identifier")


def test_no_records_and_no_enterprises_are_no_trouble() -> None:
    held = Register.of(pa.table({name: pa.array([], pa.string()) for name in ("uscc", "name", "former_names")}), LAG)
    nothing = pa.array([], pa.string())
    assert [len(part) for part in held.resolve([nothing], nothing, pa.array([], pa.date32()))] == [0, 0]
    assert resolve(held, (A,), "常州甲有限公司") == (None, "code_not_registered_here")
    assert by_name(held, "常州甲有限公司") == (None, "none")
