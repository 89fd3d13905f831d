"""Schemes with a tree: published indices and rule tables as directories, for supplied measures only.

Such a scheme aggregates its indicators over nodes of any depth, may gate and rank the result, and brings its own
measures. It is computed in exact fractions (`points/tree.py`), never by the nightly run. What every key means:
`docs/how-to/write-a-scheme.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from include.kernel.errors import BadInput
from include.kernel.exact import parse_decimal
from include.schemes.model import (
    CASES,
    ROOT,
    CurveRule,
    DeclaredMeasures,
    FormulaRule,
    MeasureDeclaration,
    NamedCondition,
    Stages,
    Title,
    Validity,
    has_tree,
    is_scheme_folder,
    read_part,
    refuse_strays,
)
from include.schemes.reading import KEPT, Dated, Exact, Strict, Whole, nearest, ordered, parse, read_yaml
from include.schemes.status import NOT_APPLICABLE, NOT_HELD

INDICATORS = "indicators"
FILES = ("scheme.yaml", "measures.yaml", "stages.yaml")
ONE_STAGE = "全部"
"""The only stage of a scheme without stages.yaml."""

MOST_DECIMALS = 12

MOST_LEVELS = 500
"""Of nodes under one another; beyond, following them would exhaust the stack."""

Absence = Literal["no_points", "left_out", "no_result"]
Scope = Literal["all", "stage"]
Weight = Fraction | dict[str, Fraction]


def _share(raw: object) -> Fraction:
    """`0.25` or `1/3`, exactly."""
    text = str(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else ""
    above, slash, below = text.partition("/")
    value = Fraction(parse_decimal(above.strip()))
    if slash:
        divisor = parse_decimal(below.strip())
        if divisor == 0:
            raise ValueError("a fraction with a zero below the line")
        value /= Fraction(divisor)
    return value


def _places(raw: object) -> object:
    if raw == "exact" or (isinstance(raw, str) and raw in map(str, range(MOST_DECIMALS + 1))):
        return raw if raw == "exact" else int(raw)
    raise ValueError(f"from 0 to {MOST_DECIMALS}, or exact")


def _weight(raw: object, member: str) -> Weight:
    try:
        return {str(stage): _share(share) for stage, share in raw.items()} if isinstance(raw, dict) else _share(raw)
    except ValueError as error:
        raise ValueError(f"weight of {member}: {error}") from None


def _members(raw: object) -> dict[str, Weight]:
    """A list counts every member once; a mapping gives their weights."""
    if isinstance(raw, list) and all(isinstance(member, str) for member in raw):
        if twice := [member for member in raw if raw.count(member) > 1]:
            raise ValueError(f"{twice[0]} stands twice")
        return dict.fromkeys(raw, Fraction(1))
    if isinstance(raw, dict):
        return {str(member): _weight(weight, str(member)) for member, weight in raw.items()}
    raise ValueError("write a list of members, or member: weight")


Places = Annotated[Literal["exact"] | int, PlainValidator(_places)]
Share = Annotated[Fraction, PlainValidator(_share)]
Members = Annotated[dict[str, Weight], PlainValidator(_members)]


class Round(Strict):
    """Where a result is rounded: 四舍五入 (half away from zero) or GB/T 8170 (half to even)."""

    mode: Literal["half_up", "half_even"]
    decimals: Whole = Field(ge=0, le=12)


class TreeCurve(CurveRule):
    """`chosen_by`: the measure with the points that an expert chose inside the band (`chosen(…)`)."""

    chosen_by: str | None = None


class TreeIndicator(Strict):
    """One line. Its curve gives points from 0 to `full`; `decimals: exact` scores the value as the exact fraction."""

    id: str = Field(pattern=r"^[A-Z][A-Z0-9]{0,9}-\d{1,3}$")
    name: Title
    unit: str
    decimals: Places
    direction: Literal["higher_better", "lower_better", "range", "boolean", "penalty", "category"]
    full: Exact = Field(default=Decimal(100), gt=0)
    subgroup: str | None = None
    sources: list[str] = Field(default_factory=list)
    formula: Annotated[list[FormulaRule], AfterValidator(ordered)] = Field(min_length=1)
    curve: Annotated[list[TreeCurve], AfterValidator(ordered)] = Field(min_length=1)
    notes: str | None = None
    decision: str | None = None


MEANS = ("mean", "geometric_mean", "harmonic_mean")
POSITIVE_MEANS = ("geometric_mean", "harmonic_mean")


class NodeRule(Strict):
    """How a node's points come from its members': aggregate, then cap and floor, then round.

    The weights of a mean add up to `weights_total` exactly (default 1; a list means equal weights). In a sum they are
    factors. `zero`: what a geometric or harmonic mean makes of a member with 0 points. A `formula` node reads
    indicators (`abc_01` the value, `abc_01_points`) and nodes by name, and declares the `maximum` it can reach.
    With fewer than `at_least` members that have a value the node has no result.
    """

    name: Title | None = None
    kind: Literal["sum", "mean", "geometric_mean", "harmonic_mean", "best_of", "least_of", "formula"]
    of: Members = Field(default_factory=dict)
    weights_total: Share | None = None
    expression: str | None = None
    maximum: Share | None = None
    minimum: Share | None = None
    zero: Literal["gives_zero", "no_result", "refused"] | None = None
    cap: Share | None = None
    floor: Share | None = None
    round: Round | None = None
    absent: Absence | None = None
    not_applicable: Absence | None = None
    at_least: Whole | None = Field(default=None, gt=0)

    @property
    def declared(self) -> tuple[Fraction, Fraction]:
        """The least and the most that a formula says it gives, before cap and floor."""
        return self.minimum or Fraction(0), self.maximum or Fraction(0)

    @model_validator(mode="after")
    def _complete(self) -> NodeRule:
        is_formula = self.kind == "formula"
        if is_formula != (self.expression is not None and self.maximum is not None and not self.of):
            raise ValueError("a formula node has `expression` and `maximum`; the other kinds have `of`")
        if not is_formula and (not self.of or self.minimum is not None):
            raise ValueError("`of` names the members; `minimum` belongs to a formula node")
        if (self.kind in POSITIVE_MEANS) != (self.zero is not None):
            raise ValueError(f"`zero` (gives_zero, no_result, refused) belongs to {' and '.join(POSITIVE_MEANS)}")
        if self.weights_total is not None and self.kind not in MEANS:
            raise ValueError(f"`weights_total` belongs to {', '.join(MEANS)}")
        if self.weights_total is not None and self.weights_total <= 0:
            raise ValueError("`weights_total` is above 0")
        if self.at_least is not None and (is_formula or self.at_least > len(self.of)):
            raise ValueError("`at_least` counts members; there are not so many")
        if self.cap is not None and self.floor is not None and self.cap < self.floor:
            raise ValueError("`cap` lies below `floor`")
        return self


class TreeRule(Dated):
    """The aggregation from its day on; `maximum` is the most the root can give, checked exactly."""

    root: str
    maximum: Share
    round_indicators: Round | None = None
    absent: Absence = "no_points"
    not_applicable: Absence = "no_points"
    nodes: dict[str, NodeRule] = Field(min_length=1)

    def handling(self, node: NodeRule | None = None) -> dict[str, Absence]:
        """What an absent member does to a node, by the reason of its absence; without a node, where none says more."""
        own = (node.absent, node.not_applicable) if node is not None else (None, None)
        return {NOT_HELD: own[0] or self.absent, NOT_APPLICABLE: own[1] or self.not_applicable}


class RankRule(Dated):
    """Ranks of everybody in the file. `shown`: round, then rank; `exact`: rank the root before its rounding."""

    ranked: Literal["shown", "exact"]
    ties: Literal["competition", "dense", "average", "ordinal"]
    first: Literal["highest", "lowest"] = "highest"
    cascade: list[str] = Field(default_factory=list)
    scopes: list[Scope] = Field(default=["all"], min_length=1)

    @model_validator(mode="after")
    def _a_reason_for_an_order(self) -> RankRule:
        if self.ties == "ordinal" and not self.cascade:
            raise ValueError("ties: ordinal needs a cascade of merit keys; a code or a name may not decide")
        return self


class GateRule(Dated):
    """passed = every `entry` condition and (every `pass` condition or one `direct` route).

    A kind that is not written asks nothing; but where there are only direct routes, one must hold.
    """

    entry: list[NamedCondition] = Field(default_factory=list)
    passing: list[NamedCondition] = Field(alias="pass", default_factory=list)
    direct: list[NamedCondition] = Field(default_factory=list)

    @model_validator(mode="after")
    def _named_once(self) -> GateRule:
        ids = [condition.id for condition in self.all]
        if not ids:
            raise ValueError("no condition")
        if twice := [name for name in ids if ids.count(name) > 1]:
            raise ValueError(f"condition {twice[0]} stands twice")
        return self

    @property
    def all(self) -> list[NamedCondition]:
        return [*self.entry, *self.passing, *self.direct]


class TreeIdentity(Strict):
    """scheme.yaml of a scheme with a tree"""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str = Field(min_length=1)
    title: Title
    authority: str
    valid: Validity
    notes: str
    tree: Annotated[list[TreeRule], AfterValidator(ordered)] = Field(min_length=1)
    ranks: Annotated[list[RankRule], AfterValidator(ordered)] = Field(default_factory=list)
    gates: Annotated[list[GateRule], AfterValidator(ordered)] = Field(default_factory=list)


class TreeScheme(Strict):
    """A scheme directory with a tree, read and consistent in its names."""

    directory: Path
    identity: TreeIdentity
    stages: Stages | None
    measures: dict[str, MeasureDeclaration]
    checks: list[NamedCondition]
    indicators: dict[str, TreeIndicator]

    @property
    def id(self) -> str:
        return self.identity.id

    @property
    def version(self) -> str:
        return self.identity.version

    @property
    def title_zh(self) -> str:
        return self.identity.title.zh

    @property
    def stage_ids(self) -> list[str]:
        """Lowest first."""
        return [stage.id for stage in self.stages.stages] if self.stages else [ONE_STAGE]

    def where(self, file: str) -> str:
        """How an error names a file of this scheme."""
        return f"{self.directory.name}/{file}"

    def indicator_where(self, indicator: str) -> str:
        """How an error names an indicator's file."""
        return self.where(f"{INDICATORS}/{indicator}.yaml")


def load_tree(directory: Path) -> TreeScheme:
    """Read a scheme directory with a tree."""
    for folder in sorted(path for path in directory.iterdir() if path.is_dir() and is_scheme_folder(path)):
        if folder.name not in (INDICATORS, CASES):
            raise BadInput(
                f"folder {folder.name!r} is not known; allowed are {INDICATORS}, {CASES}",
                where=directory.name,
                kept=KEPT,
                todo="move its files",
            )
    if (directory / "weights.yaml").exists():
        raise BadInput(
            "weights.yaml beside a tree: the nodes carry the weights", where=directory.name, kept=KEPT, todo="remove it"
        )
    refuse_strays(directory, FILES)
    declared = read_part(directory, "measures.yaml", DeclaredMeasures)
    indicators = {}
    for path in sorted((directory / INDICATORS).glob("*.yaml")):
        where = f"{directory.name}/{INDICATORS}/{path.name}"
        indicator = parse(TreeIndicator, read_yaml(path), where)
        if indicator.id != path.stem:
            raise BadInput(f"id {indicator.id!r} does not match the file name", where=where, kept=KEPT)
        indicators[indicator.id] = indicator
    if not indicators:
        raise BadInput(
            "the scheme has no indicators", where=directory.name, kept=KEPT, todo=f"add {INDICATORS}/<ID>.yaml"
        )
    scheme = TreeScheme(
        directory=directory,
        identity=read_part(directory, "scheme.yaml", TreeIdentity),
        stages=read_part(directory, "stages.yaml", Stages) if (directory / "stages.yaml").exists() else None,
        measures=declared.measures,
        checks=declared.checks,
        indicators=indicators,
    )
    for rule in scheme.identity.tree:
        for fault in _faults(scheme, rule):
            raise BadInput(
                f"key tree from {rule.since}: {fault}", where=scheme.where("scheme.yaml"), kept=KEPT, todo="correct it"
            )
    return scheme


def _faults(scheme: TreeScheme, rule: TreeRule) -> Iterator[str]:
    """A tree: known members, each in one node, one root, no circle; weights written for every stage and adding up."""
    known = [*rule.nodes, *scheme.indicators]
    held_by: dict[str, str] = {}
    if "total" in rule.nodes and rule.root != "total":
        yield "nodes.total: only the root may have this name"
        return
    if rule.root not in rule.nodes:
        yield f"root: {_unknown(rule.root, list(rule.nodes))}"
        return
    try:
        circle = _circle(rule.nodes)
    except RecursionError:
        yield f"nodes: more than {MOST_LEVELS} levels"
        return
    if circle:
        yield f"nodes.{circle[0]}: circular: {' → '.join(circle)}"
        return
    for node, of in rule.nodes.items():
        for member, weight in of.of.items():
            if member not in known:
                yield f"nodes.{node}.of: {_unknown(member, known)}"
                return
            if member in held_by:
                yield f"nodes.{node}.of: {member} stands in {held_by[member]} already"
            held_by[member] = node
            if isinstance(weight, dict) and sorted(weight) != sorted(scheme.stage_ids):
                strange = next((stage for stage in weight if stage not in scheme.stage_ids), None)
                said = _unknown(strange, scheme.stage_ids) if strange else "a stage is not written"
                yield f"nodes.{node}.of.{member}: {said}; write {', '.join(scheme.stage_ids)}"
                return
        yield from _weight_faults(scheme, node, of)
    if rule.root in held_by:
        yield f"root: {rule.root} is a member of {held_by[rule.root]}"


def _circle(nodes: Mapping[str, NodeRule]) -> list[str]:
    """The first circle of members, from a node back to itself; empty where there is none."""
    clear: set[str] = set()

    def below(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in clear or name not in nodes:
            return []
        if len(path) > MOST_LEVELS:
            raise RecursionError
        for member in nodes[name].of:
            if circle := below(member, [*path, name]):
                return circle
        clear.add(name)
        return []

    return next((circle for name in nodes if (circle := below(name, []))), [])


def _weight_faults(scheme: TreeScheme, node: str, of: NodeRule) -> Iterator[str]:
    for stage in scheme.stage_ids:
        weights = weights_of(of, stage)
        for member, weight in weights.items():
            if weight < 0:
                yield f"nodes.{node}.of.{member}: {shown(weight)} is negative; a deduction is a penalty(…)"
        if of.kind not in MEANS or (of.weights_total is None and set(weights.values()) == {Fraction(1)}):
            continue
        found, total = sum(weights.values(), Fraction(0)), of.weights_total or Fraction(1)
        if found != total:
            yield f"nodes.{node}.of: the weights add up to {shown(found)}, weights_total is {shown(total)}"


def weights_of(node: NodeRule, stage: str) -> dict[str, Fraction]:
    """The members' weights in a stage."""
    return {member: w[stage] if isinstance(w, dict) else w for member, w in node.of.items()}


def shown(value: Fraction) -> str:
    """A fraction as a person writes it: 0.25, or 1/3."""
    rest, places = value.denominator, 0
    for prime in (2, 5):
        times = 0
        while rest % prime == 0:
            rest, times = rest // prime, times + 1
        places = max(places, times)
    if rest != 1:
        return str(value)
    sign, whole = "-" if value < 0 else "", str(abs(value.numerator) * 10**places // value.denominator)
    whole = whole.rjust(places + 1, "0")
    return sign + (f"{whole[:-places]}.{whole[-places:]}" if places else whole)


def _unknown(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f"unknown {name!r:.60}" + (f" (did you mean {near}?)" if near else "")


@cache
def tree_schemes() -> dict[str, TreeScheme]:
    """The installed schemes with a tree, by id."""
    found = [load_tree(path.parent) for path in sorted(ROOT.glob("*/scheme.yaml")) if has_tree(path.parent)]
    return {scheme.id: scheme for scheme in found}
