"""Golden cases: facts and the points they must give, written on paper by whoever answers for the rule.

They belong to the scheme (`<scheme>/cases/<indicator>.yaml`, `<scheme>/cases/stages.yaml`): a version may be published
only with its cases, and they are the worked examples of its catalogue pages.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from include.schemes.model import CASES, Scheme
from include.schemes.reading import Exact, Strict, parse, read_yaml
from include.schemes.status import STATUSES, VALUE
from include.schemes.tree import TreeScheme

STAGE_FILE = "stages.yaml"


class Expectation(Strict):
    """What must come out. `value` and `raw_points` are given exactly where the status is `value` (the default).

    `provisional`: the value stands in for one still to come, so the interval stays open.
    """

    status: str = VALUE
    provisional: bool = False
    value: Exact | None = None
    raw_points: Exact | None = None
    points: Exact

    @model_validator(mode="after")
    def _complete(self) -> Expectation:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} is not one of {', '.join(STATUSES)}")
        if (self.status == VALUE) != (self.value is not None and self.raw_points is not None):
            raise ValueError("give `value` and `raw_points`, or the status that stands in their place")
        return self


class Case(Strict):
    """One enterprise: the measures that are held (the others are not), and its line."""

    name: str = Field(min_length=1)
    stage: str | None = None
    given: dict[str, Exact]
    expect: Expectation


class IndicatorCases(Strict):
    """One file: the cases of one indicator. `source` says who answers for them and shows the arithmetic."""

    indicator: str
    source: str = Field(min_length=1)
    stage: str
    cases: list[Case] = Field(min_length=1)


class StageCase(Strict):
    given: dict[str, Exact]
    expect: str


class StageCases(Strict):
    source: str = Field(min_length=1)
    cases: list[StageCase] = Field(min_length=1)


class TreeCase(Strict):
    """One enterprise under a scheme with a tree: what is supplied, and rows of the result or why it is refused.

    `expect` names rows of `innopoints score` (`ABC-01`, `node:x`, `total`, `gate:x`, `passed` …) with their points or,
    where they have none, their status or value; `ABC-01.value` is an indicator's value.
    """

    name: str = Field(min_length=1)
    stage: str = ""
    given: dict[str, str]
    expect: dict[str, str] = Field(default_factory=dict)
    refused: str | None = None

    @model_validator(mode="after")
    def _one_outcome(self) -> TreeCase:
        if bool(self.expect) == bool(self.refused):
            raise ValueError("give either `expect` or `refused`")
        return self


class TreeCases(Strict):
    """One file of a scheme with a tree. `given` is what every case of the file has, unless it says otherwise."""

    source: str = Field(min_length=1)
    given: dict[str, str] = Field(default_factory=dict)
    cases: list[TreeCase] = Field(min_length=1)


def indicator_cases(scheme: Scheme) -> dict[str, IndicatorCases]:
    """The golden cases of a scheme by indicator, in the order of the file names."""
    folder = scheme.directory / CASES
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name != STAGE_FILE:
            found[path.stem] = parse(IndicatorCases, read_yaml(path), scheme.where(f"{CASES}/{path.name}"))
    return found


def stage_cases(scheme: Scheme) -> list[StageCase]:
    """The golden cases of a scheme's stage rule; none where it has no such file."""
    path = scheme.directory / CASES / STAGE_FILE
    return parse(StageCases, read_yaml(path), scheme.where(f"{CASES}/{STAGE_FILE}")).cases if path.exists() else []


def tree_cases(scheme: TreeScheme) -> dict[str, TreeCases]:
    """The golden cases of a scheme with a tree, by file."""
    found = sorted((scheme.directory / CASES).glob("*.yaml"))
    return {p.stem: parse(TreeCases, read_yaml(p), scheme.where(f"{CASES}/{p.name}")) for p in found}
