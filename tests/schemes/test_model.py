"""A scheme directory is read strictly: each refusal names file, key, what was found and what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from include.kernel.errors import BadInput
from include.schemes.compile import compile_scheme
from include.schemes.model import load_scheme, require_scheme

Broken = Callable[[str, str, str], Path]


def test_the_small_scheme_reads_as_written(small: Path) -> None:
    scheme = load_scheme(small)
    assert scheme.stage_ids == ["young", "grown"]
    assert list(scheme.indicators) == ["ABI-01", "ABI-02", "ABI-03", "ABI-04", "RES-01", "RES-02", "RES-03"]
    assert scheme.indicators["RES-03"].category == "result"


@pytest.mark.parametrize(
    ("file", "old", "new", "parts"),
    [
        ("scheme.yaml", "authority:", "autority:", ["small/scheme.yaml", "key autority", "did you mean authority?"]),
        ("ability/ABI-01.yaml", "decimals:", "decimal:", ["small/ability/ABI-01.yaml", "key decimal", "decimals"]),
        ("ability/ABI-01.yaml", "form:", "from_:", ["key curve.0.from_", "allowed are from, reference, form"]),
        ("ability/ABI-01.yaml", "id: ABI-01", "id: ABI-09", ["id 'ABI-09' does not match the file name"]),
        ("ability/ABI-01.yaml", "decimals: 6", "decimals: ６", ["key decimals", "not a plain decimal"]),
        ("ability/ABI-01.yaml", "decimals: 6", "decimals: 6\ndecimals: 6", ["ABI-01.yaml", "stands twice"]),
        ("ability/ABI-01.yaml", "direction: higher_better", "direction: up", ["key direction", "found 'up'"]),
        ("ability/ABI-01.yaml", "subgroup: s", "category: result", ["the folder is the category"]),
        ("weights.yaml", "ABI-01: 20", "ABI-01: NaN", ["key weights.0.stages.young.ability.ABI-01", "found 'NaN'"]),
        ("weights.yaml", "ABI-01: 20", "ABI-01: .inf", ["found '.inf'"]),
        ("weights.yaml", "ABI-01: 20", "ABI-01: 1e308", ["found '1e308'"]),
        ("weights.yaml", "ABI-01: 20", "ABI-01: ２０", ["found '２０'"]),
        ("weights.yaml", "ABI-01: 20", "ABI-01: 20%", ["found '20%'"]),
        ("weights.yaml", "ABI-01: 20", "ABI-01: '20,000'", ["found '20,000'"]),
        ("weights.yaml", "ABI-01: 20", "ABI-01: ''", ["found ''"]),
        (
            "weights.yaml",
            "ABI-01: 20",
            "ABI-11: 20",
            ["weights.yaml", "unknown 'ABI-11'", "did you mean ABI-01?"],
        ),
        ("weights.yaml", ", RES-03: 0", "", ["young.result: RES-03 is not written", "with 0 if it does not count"]),
        ("weights.yaml", "young:", "yung:", ["unknown 'yung'", "did you mean young?"]),
        ("stages.yaml", "otherwise: young", "otherwise: old", ["'old' is not one of young, grown"]),
        ("stages.yaml", "bounds: [1000]", "bounds: [1000, 2000]", ["give 1 ascending bounds"]),
        ("scheme.yaml", "young: {ability: 60, result: 40}", "young: {ability: 60}", ["result is not written"]),
        ("lists.yaml", "places: 2", "places: 2, share: 0.1", ["either `places` or `share`"]),
        ("scheme.yaml", "notes:", "notes: [", ["small/scheme.yaml", "not readable YAML"]),
    ],
)
def test_unreadable_files_are_refused(file: str, old: str, new: str, parts: list[str], broken: Broken) -> None:
    directory = broken(file, old, new)
    with pytest.raises(BadInput) as refused:
        load_scheme(directory)
    for part in [*parts, "kept:"]:
        assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_overlapping_dates_are_refused(broken: Broken) -> None:
    twice = "maxima:\n  - {from: 2024-01-01, reference: ours, total: 100, stages: {}}"
    with pytest.raises(BadInput, match="dates overlap: 2024-01-01 is not after 2024-01-01"):
        load_scheme(broken("scheme.yaml", "maxima:", twice))


@pytest.mark.parametrize(
    ("validity", "reason"),
    [
        ("{from: 2024-01-01, until: 2023-12-31}", "key valid: `until` lies before `from`"),
        ("{from: 20240101}", "key valid.from: write a date as 2024-01-01, found '20240101'"),
        ("{from: 1704067200}", "key valid.from: write a date as 2024-01-01"),  # seconds of that day
        ("{from: 0}", "key valid.from: write a date as 2024-01-01"),
        ("{from: '2024-02-30'}", "key valid.from: day is out of range for month"),
        ("{from: !!timestamp soon}", "not readable YAML: line 6: 'soon' is no date"),
        ("{from: !!bool soon}", "not readable YAML: 'soon'"),
        ("{from: 2024-02-30}", "not readable YAML: line 6: '2024-02-30' is no date"),
    ],
)
def test_a_validity_that_is_none(validity: str, reason: str, broken: Broken) -> None:
    with pytest.raises(BadInput) as refused:
        load_scheme(broken("scheme.yaml", "valid: {from: 2024-01-01}", f"valid: {validity}"))
    assert f"small/scheme.yaml: {reason}" in str(refused.value)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("stages.yml", "small: file 'stages.yml' is not known (did you mean stages.yaml?)"),
        ("list.yaml", "small: file 'list.yaml' is not known (did you mean lists.yaml?)"),
        ("ability/ABI-09.yml", "small/ability: 'ABI-09.yml' is read by nobody"),
        ("cases/ABI-01.yml", "small/cases: 'ABI-01.yml' is read by nobody"),
        ("ability/more/ABI-09.yaml", "small/ability: 'more' is read by nobody"),
    ],
)
def test_a_file_that_nobody_would_read_is_refused(file: str, reason: str, broken: Broken) -> None:
    directory = broken("scheme.yaml", "small", "small")
    (directory / file).parent.mkdir(exist_ok=True)
    (directory / file).write_text("id: ABI-09\n", encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        load_scheme(directory)
    assert reason in str(refused.value)


def test_a_rule_without_formula_must_say_why(broken: Broken) -> None:
    directory = broken("result/RES-03.yaml", "formula:", "not_held: nothing\nformula:")
    with pytest.raises(BadInput, match="either `formula` or `not_held`"):
        load_scheme(directory)


def test_a_folder_that_is_no_category_is_refused(broken: Broken) -> None:
    directory = broken("scheme.yaml", "small", "small")
    (directory / "extras").mkdir()
    with pytest.raises(BadInput, match="'extras' is not a category; allowed are ability, result"):
        load_scheme(directory)


def test_an_unknown_scheme_names_the_nearest() -> None:
    with pytest.raises(BadInput, match="did you mean changzhou_v1"):
        require_scheme("changzhou_v2")


@pytest.mark.parametrize(
    ("file", "old", "new", "parts"),
    [
        ("weights.yaml", "ABI-01: 20,", "ABI-01: 20.001,", ["weights.yaml: young.ability", "60.001", "maximum is 60"]),
        ("weights.yaml", "ABI-01: 20,", "ABI-01: 19.999999,", ["more than 3 decimals"]),
        ("weights.yaml", "ABI-01: 20,", "ABI-01: -20,", ["-20 is negative"]),
        ("scheme.yaml", "result: 40", "result: 41", ["add up to 101, the total is 100"]),
        (
            "ability/ABI-01.yaml",
            "ratio(rd,",
            "ratoi(rd,",
            ["ABI-01.yaml: formula from 2024", "did you mean ratio?"],
        ),
        ("ability/ABI-01.yaml", "ratio(rd,", "ratio(rdd,", ["unknown measure 'rdd'", "did you mean rd?"]),
        ("ability/ABI-01.yaml", "unit: 比例", "unit: 元", ["gives 比例, the indicator's unit is 元"]),
        ("ability/ABI-01.yaml", "linear(0", "linaer(0", ["curve from 2024-01-01", "did you mean linear?"]),
        ("ability/ABI-01.yaml", "from: 2024-01-01", "from: 2027-01-01", ["no rule is in force on 2026-01-01"]),
        ("lists.yaml", "certificate = 1", "certificat = 1", ["lists.yaml", "did you mean certificate?"]),
        ("lists.yaml", "certificate = 1", "certificate", ["not a yes/no question"]),
        ("lists.yaml", "stages: [grown]", "stages: [grwn]", ["unknown stage 'grwn'"]),
        ("stages.yaml", "highest_of: [age]", "highest_of: [revenue]", ["basis 年限", "unit is 年"]),
    ],
)
def test_rules_that_cannot_hold_are_refused(file: str, old: str, new: str, parts: list[str], broken: Broken) -> None:
    with pytest.raises(BadInput) as refused:
        compile_scheme(load_scheme(broken(file, old, new)), date(2026, 1, 1), {})
    for part in parts:
        assert part in str(refused.value)


def test_a_value_holds_from_its_day_and_before_the_first_day_nothing_is_defined(broken: Broken) -> None:
    later = 'curve:\n  - {from: 2024-01-01, form: "linear(0; 0.1)", reference: ours}\n  - {from: 2025-06-01, form: "lin'
    directory = broken("ability/ABI-01.yaml", 'curve:\n  - {from: 2024-01-01, form: "lin', later)
    broken(
        "ability/ABI-01.yaml", '{from: 2025-06-01, form: "linear(0; 0.1)"', '{from: 2025-06-01, form: "linear(0; 0.2)"'
    )
    scheme = load_scheme(directory)
    forms = [
        compile_scheme(scheme, day, {}).indicators["ABI-01"].curve.form
        for day in (date(2025, 5, 31), date(2025, 6, 1), date(2025, 6, 2))
    ]
    assert forms == ["linear(0; 0.1)", "linear(0; 0.2)", "linear(0; 0.2)"]
    with pytest.raises(BadInput, match="valid from 2024-01-01 to further notice, not on 2023-12-31"):
        compile_scheme(scheme, date(2023, 12, 31), {})
