"""What must never be scored is refused at the door of the command line: one line with file, key or line and reason."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from include.cli import main

SCHEMES = Path(__file__).parents[1] / "schemes"
GOOD = "A,,life_expectancy_years,70"


def _run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """stderr of a command that must end with exit status 2 and one line."""
    monkeypatch.setattr(sys, "argv", ["innopoints", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    return error


@pytest.fixture
def refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Score one line under a copy of the HDI scheme in which pieces of one file are replaced."""

    def run(line: str = GOOD, file: str = "", old: str = "", new: str = "") -> str:
        scheme, source, out = tmp_path / "hdi", tmp_path / "in.csv", tmp_path / "out.csv"
        shutil.copytree(SCHEMES / "hdi", scheme)
        if file:
            text = (scheme / file).read_text(encoding="utf-8")
            assert old in text
            (scheme / file).write_text(text.replace(old, new), encoding="utf-8")
        source.write_text(f"uscc,stage,measure,value\n{line}\n", encoding="utf-8")
        error = _run(
            capsys, monkeypatch, "score", "--scheme", str(scheme), "--measures", str(source), "--out", str(out)
        )
        assert not out.exists()
        return error

    return run


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-inf", "1e308", "１２", "12%", '"1,200"', "", " 12", "0x10", "1_000", "--1", "12."]
)
def test_a_value_that_is_not_a_plain_decimal(refusal, value: str) -> None:  # type: ignore[no-untyped-def]
    error = refusal(f"A,,life_expectancy_years,{value}")
    assert "in.csv line 2: life_expectancy_years: not a plain decimal" in error
    assert "nothing was written" in error


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A,,life_expectancy,70", "unknown measure 'life_expectancy' (did you mean life_expectancy_years?)"),
        ("A,young,life_expectancy_years,70", "line 2: unknown stage 'young'"),
        ("A,,life_expectancy_years,70.00001", "more than 4 decimals"),
        (f"{GOOD}\n{GOOD}", "line 3: measure life_expectancy_years stands twice"),
    ],
)
def test_a_line_that_names_what_nobody_declared(refusal, line: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    assert reason in refusal(line)


NODE = "of: [LIF-01, education, INC-01]"
FIRST = "  - from: 2010-01-01\n    reference: Technical note 1, steps 1 and 2\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "reasons"),
    [
        ("scheme.yaml", NODE, "of: [LIF-01, edukation, INC-01]", ["hdi/scheme.yaml", "did you mean education?"]),
        ("scheme.yaml", NODE, "of: [LIF-01, education, INC-01, hdi]", ["circular: hdi → hdi"]),
        (
            "scheme.yaml",
            "education: {kind: mean, of: [EDU-01, EDU-02]}",
            "education: {kind: mean, of: [EDU-01, EDU-02, ring]}\n      ring: {kind: mean, of: [education]}",
            ["hdi/scheme.yaml", "circular: education → ring → education"],
        ),
        ("scheme.yaml", NODE, "of: [LIF-01, education, INC-01, EDU-01]", ["EDU-01 stands in education already"]),
        ("scheme.yaml", NODE, "of: [LIF-01, education]", ["indicator INC-01 stands in no node"]),
        ("scheme.yaml", "of: [EDU-01, EDU-02]", "of: {EDU-01: 0.5, EDU-02: 0.499999}", ["add up to 0.999999"]),
        ("scheme.yaml", "of: [EDU-01, EDU-02]", "of: {EDU-01: 0.5, EDU-02: 0.500001}", ["add up to 1.000001"]),
        ("scheme.yaml", "of: [EDU-01, EDU-02]", "of: {EDU-01: 1.5, EDU-02: -0.5}", ["-0.5 is negative"]),
        ("scheme.yaml", "of: [EDU-01, EDU-02]", "of: {EDU-01: 1, EDU-02: -0}", ["weight of EDU-02: minus zero: '-0'"]),
        ("scheme.yaml", "of: [EDU-01, EDU-02]", "of: {EDU-01: 50%, EDU-02: 0.5}", ["weight of EDU-01", "'50%'"]),
        ("scheme.yaml", "of: [EDU-01, EDU-02]", "of: {EDU-01: 1/0, EDU-02: 0.5}", ["zero below the line"]),
        ("scheme.yaml", "of: [EDU-01, EDU-02]", "of: {EDU-01: {old: 1}, EDU-02: 0.5}", ["unknown 'old'", "全部"]),
        ("scheme.yaml", "kind: mean", "kind: maen", ["key tree.0.nodes.education.kind", "found 'maen'"]),
        ("scheme.yaml", "zero: gives_zero", "cap: 1", ["`zero` (gives_zero, no_result, refused)"]),
        ("scheme.yaml", "root: hdi", "root: hdx", ["unknown 'hdx' (did you mean hdi?)"]),
        ("scheme.yaml", "maximum: 1", "maximum: 1.000001", ["the most points are 1, maximum is 1.000001"]),
        ("scheme.yaml", "decimals: 3", "decimals: three", ["key tree.0.nodes.hdi.round.decimals"]),
        ("scheme.yaml", "mode: half_up", "mode: up", ["round.mode", "found 'up'"]),
        ("scheme.yaml", "ties: competition", "ties: ordinal", ["a code or a name may not decide"]),
        ("scheme.yaml", "tree:\n", f"tree:\n{FIRST}    root: hdi\n    maximum: 1\n    nodes: {{}}\n", ["nodes"]),
        ("scheme.yaml", "valid: {from: 2010-01-01}", "valid: {from: 2010-01-01, until: 2011-01-01}", ["valid from"]),
        ("scheme.yaml", "absent: no_result", "absnt: no_result", ["did you mean absent?"]),
        ("indicators/LIF-01.yaml", "linear(20", "linaer(20", ["LIF-01.yaml: curve from 2010", "did you mean linear?"]),
        ("indicators/LIF-01.yaml", "linear(20; 85)", "step(20:1)", ["on which side does 20 lie?"]),
        ("indicators/LIF-01.yaml", "linear(20; 85)", "linear(20; NaN)", ["not a plain decimal"]),
        ("indicators/LIF-01.yaml", "linear(20; 85)", "linear(-0; 85)", ["LIF-01.yaml: curve from 2010", "minus zero"]),
        ("indicators/LIF-01.yaml", "linear(20; 85)", "linear(２０; 85)", ["not a plain decimal"]),
        (
            "indicators/LIF-01.yaml",
            "expression: life_expectancy_years",
            "expression: sine(life_expectancy_years)",
            ["LIF-01.yaml: formula from 2010-01-01", "unknown function 'sine'", "allowed are"],
        ),
        (
            "indicators/LIF-01.yaml",
            "expression: life_expectancy_years",
            "expression: life_expectancy_yaers",
            ["unknown measure 'life_expectancy_yaers' (did you mean life_expectancy_years?)"],
        ),
        (
            "indicators/LIF-01.yaml",
            "expression: life_expectancy_years",
            "expression: life_expectancy_years + gni_per_head",
            ["unit mismatch"],
        ),
        (
            "indicators/LIF-01.yaml",
            "curve:\n",
            'curve:\n  - {from: 2010-01-01, form: "linear(0; 1)", reference: ours}\n',
            ["key curve: dates overlap: 2010-01-01 is not after 2010-01-01 | kept"],
        ),
        ("indicators/LIF-01.yaml", "full: 1", "full: 1e0", ["key full", "not a plain decimal"]),
        ("indicators/LIF-01.yaml", "full: 1", "full: 1\nfull: 1", ["YAML: line 6: key 'full' stands twice | kept"]),
        ("indicators/LIF-01.yaml", "decimals: exact", "decimals: about", ["key decimals"]),
        ("measures.yaml", "decimals: 4, zh: 出生", "decimals: 4, most: 1, least: 2, zh: 出生", ["`most` lies below"]),
        (
            "measures.yaml",
            "  gni_per_head",
            "  hdi: {unit: 年, decimals: 0, zh: 甲}\n  gni_per_head",
            ["name of a result"],
        ),
    ],
)
def test_a_scheme_that_cannot_hold(refusal, file: str, old: str, new: str, reasons: list[str]) -> None:  # type: ignore[no-untyped-def]
    error = refusal(file=file, old=old, new=new)
    for reason in reasons:
        assert reason in error


@pytest.mark.parametrize("value", ["-0", "-0.00"])
def test_minus_zero_is_no_figure(refusal, value: str) -> None:  # type: ignore[no-untyped-def]
    error = refusal(f"A,,mean_schooling_years,{value}")
    assert "in.csv line 2: mean_schooling_years: minus zero | " in error
    assert "nothing was written" in error


def test_the_nightly_commands_refuse_a_scheme_for_supplied_measures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = _run(capsys, monkeypatch, "refresh", "--as-of", "2026-11-01", "--scheme", "tech_sme_2017")
    assert "scheme tech_sme_2017 is for supplied measures only" in error


def test_an_unknown_scheme_names_the_nearest_of_both_kinds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = _run(capsys, monkeypatch, "score", "--scheme", "tech_sme_2071", "--measures", "x", "--out", "y")
    assert "did you mean tech_sme_2017?" in error
