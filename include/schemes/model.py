"""The shape of a scheme: who it is, its stages, indicators, weights and lists, each value dated and cited."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from include.kernel.errors import BadInput
from include.schemes.reading import KEPT, Dated, Day, Exact, Model, Strict, Whole, nearest, ordered, parse, read_yaml

ROOT = Path(__file__).parent

# Points are published with three places (the warehouse's promise); a scheme says so, it cannot choose otherwise.
POINT_DECIMALS = 3

# The golden cases of a scheme stand beside its categories; cases.py reads them.
CASES = "cases"

FILES = ("scheme.yaml", "stages.yaml", "weights.yaml", "lists.yaml", "measures.yaml", "paper_form.yaml")
"""What may stand beside the folders of a nightly scheme."""

Direction = Literal["higher_better", "lower_better", "range", "boolean", "penalty"]


class Title(Strict):
    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class FormulaRule(Dated):
    """How the value is computed; `applicable_when` false means the indicator does not concern the enterprise."""

    expression: str
    applicable_when: str | None = None


class NightlyFormulaRule(FormulaRule):
    """`provisional_when` true: the value stands in for one still to come; it counts, the interval stays open."""

    provisional_when: str | None = None


Edge = Literal["[a,b)", "(a,b]"]


class CurveRule(Dated):
    """How a value becomes raw points: a form of the curve grammar (`shapes.py`).

    `edge`: on which side a threshold without a sign of its own (`>=`, `>`) lies; without it the scheme's rule holds.
    """

    form: str
    edge: Edge | None = None


class Indicator(Strict):
    """One line of the score. Without a formula it must say why its value is not held, naming the datasets.

    `notes` is the caliber; `decision` is what was decided where the caliber is ambiguous or unsound, and why. `flags`
    are yes/no measures that mark a value for whoever reads it; they never change a point.
    """

    id: str = Field(pattern=r"^[A-Z]{2,5}-\d{2}$")
    category: str
    national: str | None = Field(default=None, pattern=r"^N\d{2}$")
    name: Title
    subgroup: str
    unit: str
    decimals: Whole = Field(ge=0, le=6)
    direction: Direction
    sources: list[str] = Field(min_length=1)
    formula: Annotated[list[NightlyFormulaRule], AfterValidator(ordered)] = Field(default_factory=list)
    not_held: str | None = None
    curve: Annotated[list[CurveRule], AfterValidator(ordered)] = Field(min_length=1)
    flags: list[str] = Field(default_factory=list)
    notes: str | None = None
    decision: str | None = None

    @model_validator(mode="after")
    def _computed_or_excused(self) -> Indicator:
        if bool(self.formula) == bool(self.not_held):
            raise ValueError("give either `formula` or `not_held` (why it cannot be computed)")
        return self

    @property
    def is_penalty(self) -> bool:
        """A penalty deducts; it stands outside its category's maximum."""
        return self.direction == "penalty"


class Rounding(Dated):
    """Where rounding happens and nowhere else. Half-up is 四舍五入, away from zero on both sides."""

    mode: Literal["half_up"]
    raw_decimals: Whole = Field(ge=POINT_DECIMALS, le=POINT_DECIMALS)
    line_decimals: Whole = Field(ge=POINT_DECIMALS, le=POINT_DECIMALS)
    total: Literal["sum_of_lines"]


class MissingRule(Dated):
    """What an absent value scores. `no_points`: the line gives 0 and its weight stays; nothing is re-spread.

    `out_of_coverage` says that the line also leaves the denominator of the coverage.
    """

    not_held: Literal["no_points"]
    in_quarantine: Literal["no_points"]
    not_applicable: Literal["no_points_out_of_coverage"]


class TieRule(Dated):
    """Equal shown totals share a rank: 1, 2, 2, 4."""

    ranks: Literal["competition"]


class StepEdge(Dated):
    """On which side of a `step` threshold the value itself lies."""

    interval: Edge


class LogKnots(Dated):
    """`log` curves become straight pieces between knots at every so many raw points, computed once in 40 digits."""

    every_raw_points: Whole = Field(gt=0, le=50)
    decimals: Whole = Field(ge=0, le=6)


class CategoryMaxima(Dated):
    """Stage → category → the most points it can give, and the total they must add up to."""

    total: Exact = Field(gt=0)
    stages: dict[str, dict[str, Exact]]


class Category(Strict):
    id: str = Field(pattern=r"^[a-z][a-z_]*$")
    name: Title


class Validity(Strict):
    since: Day = Field(alias="from")
    until: Day | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Validity:
        if self.until is not None and self.until < self.since:
            raise ValueError("`until` lies before `from`")
        return self


class Identity(Strict):
    """scheme.yaml"""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str = Field(min_length=1)
    title: Title
    authority: str
    valid: Validity
    notes: str
    categories: list[Category] = Field(min_length=1)
    maxima: Annotated[list[CategoryMaxima], AfterValidator(ordered)] = Field(min_length=1)
    rounding: Annotated[list[Rounding], AfterValidator(ordered)] = Field(min_length=1)
    missing: Annotated[list[MissingRule], AfterValidator(ordered)] = Field(min_length=1)
    ties: Annotated[list[TieRule], AfterValidator(ordered)] = Field(min_length=1)
    step_edge: Annotated[list[StepEdge], AfterValidator(ordered)] = Field(min_length=1)
    log_knots: Annotated[list[LogKnots], AfterValidator(ordered)] = Field(min_length=1)


class Stage(Strict):
    id: str
    name_en: str


class Basis(Strict):
    """One way of telling the stage. The first basis that has a value decides.

    `highest_of`: of several expressions the one that reaches the highest stage counts (last year beside this year: an
    enterprise drops only after both lie below). `bounds` are the lines between neighbouring stages, lowest first;
    `edge` says on which side a line itself lies: `[a,b)` belongs to the higher stage, `(a,b]` to the lower.
    """

    name: str
    highest_of: list[str] = Field(min_length=1)
    unit: str
    decimals: Whole = Field(ge=0, le=6)
    edge: Edge
    bounds: list[Exact]
    reference: str


class StageRule(Dated):
    bases: list[Basis] = Field(min_length=1)
    otherwise: str


class Stages(Strict):
    """stages.yaml: the growth stages, lowest first, and the dated rule that assigns them."""

    stages: list[Stage] = Field(min_length=1)
    rule: Annotated[list[StageRule], AfterValidator(ordered)] = Field(min_length=1)

    @model_validator(mode="after")
    def _lines_fit(self) -> Stages:
        ids = [stage.id for stage in self.stages]
        if len(set(ids)) != len(ids):
            raise ValueError(f"a stage stands twice: {ids}")
        for rule in self.rule:
            if rule.otherwise not in ids:
                raise ValueError(f"otherwise: {rule.otherwise!r} is not one of {', '.join(ids)}")
            for basis in rule.bases:
                if len(basis.bounds) != len(ids) - 1 or sorted(set(basis.bounds)) != basis.bounds:
                    raise ValueError(f"basis {basis.name}: give {len(ids) - 1} ascending bounds")
        return self


class WeightRule(Dated):
    """Stage → category → indicator → weight in points. Every indicator is written, zeros too."""

    stages: dict[str, dict[str, dict[str, Exact]]]


class Weights(Strict):
    """weights.yaml"""

    weights: Annotated[list[WeightRule], AfterValidator(ordered)] = Field(min_length=1)


class Condition(Strict):
    """A named yes/no question over measures, indicator values (`inp_03`) and results (`total`, `coverage` …)."""

    name: str
    when: str


class DatedValue(Dated):
    value: Exact


class DatedConditions(Dated):
    conditions: list[Condition]


class HonourRule(Dated):
    """Who is honoured: the best `places`, or the best `share` of each stage counting those honoured before."""

    stages: list[str] = Field(min_length=1)
    ranked: Literal["together", "in_each_stage"]
    places: Whole | None = Field(default=None, gt=0)
    share: Exact | None = Field(default=None, gt=0, le=1)
    conditions: list[Condition] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_quota(self) -> HonourRule:
        if (self.places is None) == (self.share is None):
            raise ValueError("give either `places` or `share`")
        return self


class Honour(Strict):
    honour: str
    rule: Annotated[list[HonourRule], AfterValidator(ordered)] = Field(min_length=1)


class TieBreak(Dated):
    """Merit keys compared after the total; who is still equal at the last place is in, and shares the place."""

    indicators: list[str]
    at_quota: Literal["in"]


class ProductRule(Dated):
    """Who is listed for a credit product, and the suggestion to the bank, which decides alone.

    limit = min(`cap_yuan`, base(stage) x `leverage` x total / total of the scheme), down to whole `step_yuan`.
    """

    conditions: list[Condition]
    base_yuan: dict[str, Exact]
    leverage: Exact = Field(gt=0)
    cap_yuan: Exact = Field(gt=0)
    step_yuan: Exact = Field(gt=0)


class Product(Strict):
    product: str
    rule: Annotated[list[ProductRule], AfterValidator(ordered)] = Field(min_length=1)


class ProgrammeRule(Dated):
    conditions: list[Condition] = Field(min_length=1)
    places: Whole | None = Field(default=None, gt=0)


class Programme(Strict):
    programme: str
    rule: Annotated[list[ProgrammeRule], AfterValidator(ordered)] = Field(min_length=1)


class RungRule(Dated):
    """`holds`: has it already; the conditions say whether the records would carry an application."""

    holds: str
    conditions: list[Condition] = Field(min_length=1)


class Rung(Strict):
    rung: str
    rule: Annotated[list[RungRule], AfterValidator(ordered)] = Field(min_length=1)


class Lists(Strict):
    """lists.yaml: what the points are used for."""

    coverage_threshold: Annotated[list[DatedValue], AfterValidator(ordered)] = Field(min_length=1)
    robust_shift: Annotated[list[DatedValue], AfterValidator(ordered)] = Field(min_length=1)
    veto: Annotated[list[DatedConditions], AfterValidator(ordered)] = Field(min_length=1)
    tie_break: Annotated[list[TieBreak], AfterValidator(ordered)] = Field(min_length=1)
    honours: list[Honour] = Field(default_factory=list)
    credit_products: list[Product] = Field(default_factory=list)
    programmes: list[Programme] = Field(default_factory=list)
    ladder: list[Rung] = Field(default_factory=list)


class MeasureDeclaration(Strict):
    """A measure that the scheme brings itself, for figures that no dataset here delivers (`innopoints score`).

    What lies outside `least` and `most` is refused. With `words` it is a category: its values are these words.
    """

    unit: str
    decimals: Whole = Field(ge=0, le=12)
    zh: str
    least: Exact | None = None
    most: Exact | None = None
    words: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> MeasureDeclaration:
        if self.words and (self.decimals or self.least is not None or self.most is not None):
            raise ValueError("a category (`words`) has decimals 0 and neither `least` nor `most`")
        if len(set(self.words)) != len(self.words):
            raise ValueError(f"a word stands twice: {self.words}")
        if self.least is not None and self.most is not None and self.most < self.least:
            raise ValueError("`most` lies below `least`")
        return self


class NamedCondition(Strict):
    """A yes/no question with an id for result rows."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str
    when: str


class DeclaredMeasures(Strict):
    """measures.yaml. `checks` must hold in what is supplied (schemes with a tree); what breaks one is refused."""

    measures: dict[str, MeasureDeclaration]
    checks: list[NamedCondition] = Field(default_factory=list)


class Scheme(Strict):
    """A whole scheme directory, read and consistent in its names; what its rules come to is `compile.py`'s matter."""

    directory: Path
    identity: Identity
    stages: Stages
    weights: Weights
    lists: Lists | None
    measures: dict[str, MeasureDeclaration]
    indicators: dict[str, Indicator]

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
        return [stage.id for stage in self.stages.stages]

    @property
    def category_ids(self) -> list[str]:
        return [category.id for category in self.identity.categories]

    def where(self, file: str) -> str:
        """How an error names a file of this scheme."""
        return f"{self.directory.name}/{file}"

    def indicator_where(self, indicator: str) -> str:
        """How an error names an indicator's file."""
        return self.where(f"{self.indicators[indicator].category}/{indicator}.yaml")


def load_scheme(directory: Path) -> Scheme:
    """Read a scheme directory. The folder is the category and the file name the id; both must be declared."""
    if not directory.is_dir():
        raise BadInput(f"no scheme directory {directory}", kept=KEPT, todo="name a directory with a scheme.yaml")

    identity = read_part(directory, "scheme.yaml", Identity)
    refuse_strays(directory, FILES)
    has_lists, has_measures = (directory / "lists.yaml").exists(), (directory / "measures.yaml").exists()
    categories = [category.id for category in identity.categories]
    if stray := sorted(
        p.name for p in directory.iterdir() if p.is_dir() and p.name not in [*categories, CASES] and is_scheme_folder(p)
    ):
        raise BadInput(
            f"folder {stray[0]!r} is not a category; allowed are {', '.join(categories)}",
            where=directory.name,
            kept=KEPT,
            todo="declare it in scheme.yaml or rename the folder",
        )
    indicators: dict[str, Indicator] = {}
    for category in categories:
        for path in sorted((directory / category).glob("*.yaml")):
            indicator = _indicator(path, category, directory.name)
            if indicator.id in indicators:
                raise BadInput(f"indicator {indicator.id} stands in two folders", where=directory.name, kept=KEPT)
            indicators[indicator.id] = indicator
    if not indicators:
        raise BadInput("the scheme has no indicators", where=directory.name, kept=KEPT, todo="add <category>/<ID>.yaml")
    scheme = Scheme(
        directory=directory,
        identity=identity,
        stages=read_part(directory, "stages.yaml", Stages),
        weights=read_part(directory, "weights.yaml", Weights),
        lists=read_part(directory, "lists.yaml", Lists) if has_lists else None,
        measures=read_part(directory, "measures.yaml", DeclaredMeasures).measures if has_measures else {},
        indicators=indicators,
    )
    _names_exist(scheme)
    return scheme


def load_indicator(path: Path) -> Indicator:
    """Read one indicator file on its own; its folder is its category."""
    return _indicator(path, path.parent.name, path.parent.parent.name)


@cache
def schemes() -> dict[str, Scheme]:
    """The installed schemes of the nightly run by id."""
    found = [load_scheme(path.parent) for path in sorted(ROOT.glob("*/scheme.yaml")) if not has_tree(path.parent)]
    return {scheme.id: scheme for scheme in found}


def require_scheme(scheme_id: str) -> Scheme:
    """An installed scheme, or one line that lists what is installed."""
    installed = sorted(schemes())
    if scheme_id not in installed and scheme_id in {path.parent.name for path in ROOT.glob("*/scheme.yaml")}:
        raise BadInput(
            f"scheme {scheme_id} is for supplied measures only",
            todo=f"use `innopoints score`, or one of {', '.join(installed)}",
            kept="nothing was started",
        )
    if scheme_id not in installed:
        near = nearest(str(scheme_id), installed)
        raise BadInput(
            f"unknown scheme {scheme_id!r:.40}" + (f" (did you mean {near}?)" if near else ""),
            todo=f"use one of {', '.join(installed)}",
            kept="nothing was started",
        )
    return schemes()[scheme_id]


def has_tree(directory: Path) -> bool:
    """Whether the directory's scheme.yaml declares a tree: such a scheme (`tree.py`) is for supplied measures only."""
    path = directory / "scheme.yaml"
    raw = read_yaml(path) if path.exists() else None
    return isinstance(raw, dict) and "tree" in raw


def read_part(directory: Path, name: str, model: type[Model]) -> Model:
    """One file of a scheme directory."""
    return parse(model, read_yaml(directory / name), f"{directory.name}/{name}")


def refuse_strays(directory: Path, files: tuple[str, ...]) -> None:
    """Every YAML file is read by somebody: a `stage.yaml` or an `ABC-01.yml` would be a rule that nobody follows."""
    for path in sorted(directory.iterdir()):
        if path.suffix in (".yaml", ".yml") and path.name not in files:
            near = nearest(path.name, list(files))
            raise BadInput(
                f"file {path.name!r} is not known" + (f" (did you mean {near}?)" if near else ""),
                where=directory.name,
                kept=KEPT,
                todo=f"use one of {', '.join(files)}",
            )
    folders = [folder for folder in sorted(directory.iterdir()) if folder.is_dir() and is_scheme_folder(folder)]
    for path in [path for folder in folders for path in sorted(folder.iterdir())]:
        if path.suffix == ".yml" or (path.is_dir() and is_scheme_folder(path)):
            raise BadInput(
                f"{path.name!r} is read by nobody",
                where=f"{directory.name}/{path.parent.name}",
                kept=KEPT,
                todo="write files that end in .yaml, in the folder itself",
            )


def is_scheme_folder(folder: Path) -> bool:
    """A folder that a person made; caches and hidden folders are nobody's business."""
    return not folder.name.startswith((".", "__"))


def _indicator(path: Path, category: str, scheme: str) -> Indicator:
    where = f"{scheme}/{category}/{path.name}"
    raw = read_yaml(path)
    if isinstance(raw, dict) and "category" in raw:
        raise BadInput("key category: the folder is the category", where=where, kept=KEPT, todo="remove the key")
    indicator = parse(Indicator, {**raw, "category": category} if isinstance(raw, dict) else raw, where)
    if indicator.id != path.stem:
        raise BadInput(f"id {indicator.id!r} does not match the file name", where=where, kept=KEPT)
    return indicator


def _names_exist(scheme: Scheme) -> None:
    """Stages, categories and indicators that the parts speak of are the declared ones, each exactly once."""
    for maxima in scheme.identity.maxima:
        _same_names("scheme.yaml", scheme, f"maxima from {maxima.since}", list(maxima.stages), scheme.stage_ids)
        for stage, points in maxima.stages.items():
            _same_names("scheme.yaml", scheme, f"maxima {stage}", list(points), scheme.category_ids)
    for rule in scheme.weights.weights:
        _same_names("weights.yaml", scheme, f"weights from {rule.since}", list(rule.stages), scheme.stage_ids)
        for stage, categories in rule.stages.items():
            _same_names("weights.yaml", scheme, stage, list(categories), scheme.category_ids)
            for category, weights in categories.items():
                members = [i.id for i in scheme.indicators.values() if i.category == category]
                _same_names("weights.yaml", scheme, f"{stage}.{category}", list(weights), members)


def _same_names(file: str, scheme: Scheme, key: str, found: list[str], declared: list[str]) -> None:
    for name in found:
        if name not in declared:
            near = nearest(name, declared)
            raise BadInput(
                f"key {key}: unknown {name!r}" + (f" (did you mean {near}?)" if near else ""),
                where=scheme.where(file),
                kept=KEPT,
                todo=f"use one of {', '.join(declared)}",
            )
    for name in declared:
        if name not in found:
            raise BadInput(
                f"key {key}: {name} is not written",
                where=scheme.where(file),
                kept=KEPT,
                todo="write it, with 0 if it does not count",
            )
