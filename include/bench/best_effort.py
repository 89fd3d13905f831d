"""The best effort: what a person who knows numpy would write for this one job, to know how far the product is from it.

It takes every short cut that these files allow and the product may not: int64 without a proof that nothing overflows,
no leases, digests or audits, no other statuses than the files contain, filings told apart by their number, rows joined
by position, Parquet straight to disk. Formulas and curves come from the scheme, not retyped, so that a new indicator
needs nothing here; they are walked as plain numpy. Only the measures are the product's SQL, run on columns cut to what
it reads: a second text of it would rot. How far that SQL is from the best possible, this benchmark does not say.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.bench.meter import Meter
from include.bench.world import World
from include.contracts import Contract, contracts
from include.kernel.areas import CITY
from include.kernel.whole import Column
from include.measures.registry import columns_read
from include.measures.run import measure
from include.schemes import expression as tree
from include.schemes.compile import Compiled
from include.schemes.formula import Formula
from include.schemes.formula_columns import node_column
from include.schemes.status import NOT_APPLICABLE, NOT_HELD, STATUSES, VALUE
from include.sources.declaration import REGISTRY
from include.steps.district import compiled

Pair = tuple[np.ndarray, np.ndarray]
"""Numbers (or answers) and where they are known."""

THREADS = 2
_DISTRICT = "_district"
_CODES = {status: code for code, status in enumerate(STATUSES)}


def run(world: World, scheme: str, out: Path, meter: Meter) -> None:
    """Every district from accepted rows to its ledger, then the ranks of the city."""
    rules = compiled(scheme, world.as_of)
    out.mkdir(parents=True)
    uscc, totals, stages, places = [], [], [], []
    registries, shares = _city(world, meter)
    for place, district in enumerate(world.districts):
        tables = shares.pop(district) | _district(world, district, registries[district], meter)
        with meter.phase("measure"):
            measures = measure(tables, world.as_of)
        del tables
        total, stage = _scored(rules, measures, out / f"{district}.parquet", meter)
        uscc += measures["uscc"].chunks
        totals.append(total)
        stages.append(stage)
        places.append(np.full(len(total), place))
    with meter.phase("rank"):
        total, stage, of_district = (np.concatenate(parts) for parts in (totals, stages, places))
        ranks = {
            "rank_all": _rank(total),
            "rank_stage": _rank(total, stage),
            "rank_district": _rank(total, of_district),
        }
    with meter.phase("write"):
        ranked = pa.table({"uscc": pa.chunked_array(uscc), "total": total, **ranks})
        pq.write_table(ranked, out / "ranked.parquet", compression="zstd")


def _scored(rules: Compiled, measures: pa.Table, ledger: Path, meter: Meter) -> tuple[np.ndarray, np.ndarray]:
    """Total and stage of one district's enterprises; the ledger goes to its file."""
    rows, indicators = measures.num_rows, list(rules.indicators.values())
    with meter.phase("evaluate"), ThreadPoolExecutor(THREADS) as pool:
        columns = {name: _integers(measures[name], of.decimals) for name, of in rules.measures.items()}
        values = list(pool.map(partial(_value, columns=columns, rows=rows), indicators))
    with meter.phase("score"), ThreadPoolExecutor(THREADS) as pool:
        stage = _stages(rules, columns, rows)
        by_stage = [np.array([rules.weights[s][i] for s in rules.scheme.stage_ids]) for i in rules.indicators]
        weights = [of_stage[stage] for of_stage in by_stage]
        lines = list(pool.map(_line, indicators, values, weights))
        total = sum((points for _, _, points in lines), np.zeros(rows, np.int64))
    with meter.phase("write"):
        _write(indicators, measures["uscc"], values, lines, weights, ledger)
    return total, stage


# --- accepted rows to measures ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Known:
    """Enterprises in the order of their codes, by name, and of which district each is."""

    codes: pa.Array
    names: pa.Array
    district: pa.Array

    @classmethod
    def of(cls, enterprises: pa.Table) -> _Known:
        return cls(*(enterprises[name].combine_chunks() for name in ("uscc", "name", "district")))


def _city(world: World, meter: Meter) -> tuple[dict[str, pa.Table], dict[str, dict[str, pa.Table]]]:
    """The enterprises of each district, and its share of the city's datasets: each is read once."""
    enterprises = {}
    for district in world.districts:
        with meter.phase("read"):
            registry = _read(world, contracts()[REGISTRY], district)
        with meter.phase("conform"):
            known = registry.append_column("district", pa.repeat(pa.scalar(district), registry.num_rows))
            enterprises[district] = known.sort_by("uscc")
    shares: dict[str, dict[str, pa.Table]] = {district: {} for district in world.districts}
    with meter.phase("conform"):
        everybody = _Known.of(pa.concat_tables(enterprises.values()))
    for dataset, contract in contracts().items():
        if contract.scope == CITY:
            with meter.phase("read"):
                accepted = _read(world, contract, CITY)
            with meter.phase("conform"):
                found = _linked(contract, accepted, everybody)
                for district in world.districts:
                    rows = found.filter(pc.equal(found[_DISTRICT], district))
                    shares[district][dataset.lower()] = rows.drop_columns([_DISTRICT])
    return enterprises, shares


def _district(world: World, district: str, enterprises: pa.Table, meter: Meter) -> dict[str, pa.Table]:
    """Its own datasets: the columns that a subject reads, of the rows that are its enterprises'."""
    tables, known = {"enterprises": enterprises}, _Known.of(enterprises)
    for dataset, contract in contracts().items():
        if contract.scope != CITY:
            with meter.phase("read"):
                accepted = _read(world, contract, district)
            with meter.phase("conform"):
                tables[dataset.lower()] = _linked(contract, accepted, known).drop_columns([_DISTRICT])
    return tables


def _read(world: World, contract: Contract, scope: str) -> pa.Table:
    """The columns that the measures or the joins need."""
    folder = world.root / world.place(contract.dataset, scope)
    file = next(folder.glob("data-*.parquet"))
    entity, versions = contract.entity, contract.versions
    needed = {*columns_read(contract.dataset), entity.name, entity.names, entity.filed_by, *entity.codes}
    needed |= {column for role in entity.roles.values() for column in (role.name, *role.codes)}
    needed |= {*versions.void, versions.first} if versions else set()
    everything = pq.read_schema(file).names
    return pq.read_table(file, columns=[name for name in everything if name in needed])


def _linked(contract: Contract, rows: pa.Table, known: _Known) -> pa.Table:
    """The rows of these enterprises, with code and district."""
    entity = contract.entity
    if entity.names:
        found = _of_owners(contract, rows, known)
    elif entity.roles:
        parts = {role: _of_party(contract, rows, of.codes, of.name, known) for role, of in entity.roles.items()}
        found = pa.concat_tables(
            part.append_column("role", pa.repeat(pa.scalar(role), part.num_rows)) for role, part in parts.items()
        )
    else:
        found = _of_party(contract, rows, entity.codes, entity.name, known)
    return found.select([*columns_read(contract.dataset), _DISTRICT])


def _of_party(contract: Contract, rows: pa.Table, by: list[str], name: str | None, known: _Known) -> pa.Table:
    at = pa.nulls(rows.num_rows, pa.int32())
    for column in by:
        at = pc.coalesce(at, pc.index_in(rows[column].combine_chunks(), value_set=known.codes))
    if name:
        at = pc.coalesce(at, pc.index_in(rows[name].combine_chunks(), value_set=known.names))
    keep, versions = at.is_valid(), contract.versions
    for column, void in (versions.void if versions else {}).items():
        keep = pc.and_(keep, pc.invert(pc.is_in(rows[column].combine_chunks(), value_set=pa.array(void))))
    found = _keyed(rows.filter(keep), at.filter(keep), known)
    if versions and versions.first:
        found = found.append_column(f"first_{versions.first}", found[versions.first])
    return found


def _keyed(rows: pa.Table, at: pa.Array, known: _Known) -> pa.Table:
    rest = rows.drop_columns(["uscc"]) if "uscc" in rows.column_names else rows
    return rest.add_column(0, "uscc", known.codes.take(at)).append_column(_DISTRICT, known.district.take(at))


def _of_owners(contract: Contract, rows: pa.Table, known: _Known) -> pa.Table:
    owners = pc.split_pattern(rows[contract.entity.names].combine_chunks(), ";")
    parent, at = pc.list_parent_indices(owners), pc.index_in(owners.flatten(), value_set=known.names)
    keep = at.is_valid()
    parent, at = parent.filter(keep), at.filter(keep)
    found = _keyed(rows.take(parent), at, known)
    found = found.append_column("owners", pc.list_value_length(owners).take(parent).cast(pa.int64()))
    if contract.entity.filed_by:  # here one name
        filed = pc.equal(found[contract.entity.filed_by], known.names.take(at))
        found = found.append_column("is_filer", filed.cast(pa.int64()))
    return found


# --- measures to values --------------------------------------------------------------------------------------------


def _integers(column: pa.ChunkedArray, decimals: int) -> Pair:
    whole = column.combine_chunks()
    known = whole.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_decimal(whole.type):
        words = np.frombuffer(whole.buffers()[1], np.int64)[2 * whole.offset :: 2][: len(whole)]
        return np.where(known, words, 0) * 10 ** (decimals - whole.type.scale), known
    return whole.cast(pa.int64()).fill_null(0).to_numpy(), known


def _value(rule, columns: dict[str, Pair], rows: int) -> Pair:  # type: ignore[no-untyped-def]
    """Millionths, and the code of the status."""
    if rule.formula is None:
        return np.zeros(rows, np.int64), np.full(rows, _CODES[NOT_HELD], np.int8)
    number, known = _number(rule, columns, rows)
    status = np.where(known, _CODES[VALUE], _CODES[NOT_HELD]).astype(np.int8)
    if rule.applicable is not None:
        yes, answered = _walk(rule.applicable.root, columns, rows)
        status[~answered] = _CODES[NOT_HELD]
        status[answered & ~yes] = _CODES[NOT_APPLICABLE]
    return number, status


def _number(rule, columns: dict[str, Pair], rows: int) -> Pair:  # type: ignore[no-untyped-def]
    formula: Formula = rule.formula
    whole, known = _walk(formula.root, columns, rows)
    if formula.is_condition:
        return whole * np.int64(10**6), known
    number, known = _scaled(formula.root, columns, rows, formula.decimals)
    surplus = formula.root.quantity.decimals - formula.decimals
    for line in rule.lines if surplus > 0 else ():  # what is shown stays on its own side of a line
        place = line.place * 10**formula.decimals
        if place.denominator == 1:
            at_line, cut = number == int(place), int(place) * 10**surplus
            number = number + (at_line & (whole > cut)) if line.past else number - (at_line & (whole < cut))
    return number * 10 ** (6 - formula.decimals), known


def _scaled(node: tree.Node, columns: dict[str, Pair], rows: int, decimals: int) -> Pair:
    number, known = _walk(node, columns, rows)
    if isinstance(node, tree.Constant) and node.value is None:
        return number, known
    surplus = node.quantity.decimals - decimals
    return (_half_up(number, 10**surplus), known) if surplus > 0 else (number * 10**-surplus, known)


def _half_up(above: np.ndarray, below: np.ndarray | int) -> np.ndarray:
    """Half away from zero; `below` is never zero."""
    size = np.abs(below)
    quotient = (2 * np.abs(above) + size) // (2 * size)
    return np.where((above < 0) != (np.asarray(below) < 0), -quotient, quotient)


def _walk(node: tree.Node, columns: dict[str, Pair], rows: int) -> Pair:
    def at(part: tree.Node, decimals: int) -> Pair:
        return _scaled(part, columns, rows, decimals)

    def branch(part: tree.Node) -> Pair:
        if node.kind == tree.BOOLEAN:
            yes, known = _walk(part, columns, rows)
            return yes.astype(bool), known
        return at(part, node.quantity.decimals)

    if tree.combines_quotients(node):  # the product's own fractions: one indicator of 121 needs them
        found = node_column(node, {name: Column(*pair) for name, pair in columns.items()}, rows)
        return found.values, found.known
    match node:
        case tree.Constant(value=None):
            return np.zeros(rows, np.int64), np.zeros(rows, bool)
        case tree.Constant(value=bool(value)):
            return np.full(rows, value), np.ones(rows, bool)
        case tree.Constant(value=Fraction() as value):
            return np.full(rows, int(value * 10**node.quantity.decimals)), np.ones(rows, bool)
        case tree.Measure(name=name):
            return columns[name]
        case tree.Arithmetic(sign="*", left=left, right=right):
            (a, i), (b, j) = _walk(left, columns, rows), _walk(right, columns, rows)
            return a * b, i & j
        case tree.Arithmetic(sign=sign, left=left, right=right):
            (a, i), (b, j) = at(left, node.quantity.decimals), at(right, node.quantity.decimals)
            return (a + b if sign == "+" else a - b), i & j
        case tree.Comparison(sign=sign, left=left, right=right):
            decimals = max(left.quantity.decimals, right.quantity.decimals)
            (a, i), (b, j) = at(left, decimals), at(right, decimals)
            return _COMPARE[sign](a, b), i & j
        case tree.Logic(word=word, left=left, right=right):
            (a, i), (b, j) = _walk(left, columns, rows), _walk(right, columns, rows)
            a, b = a.astype(bool) & i, b.astype(bool) & j
            if word == "or":
                return a | b, (i & j) | a | b
            return a & b, (i & j) | (i & ~a) | (j & ~b)
        case tree.Not(inner=inner):
            a, i = _walk(inner, columns, rows)
            return ~a.astype(bool), i
        case tree.IsNull(inner=inner):
            return ~_walk(inner, columns, rows)[1], np.ones(rows, bool)
        case tree.OneOf(inner=inner, options=options):
            decimals = max(part.quantity.decimals for part in (inner, *options))
            a, i = at(inner, decimals)
            return np.any([a == at(option, decimals)[0] for option in options], axis=0), i
        case tree.Case(whens=whens, otherwise=otherwise):
            number, known = branch(otherwise)
            for when, then in reversed(whens):
                yes, answered = _walk(when, columns, rows)
                taken, (a, i) = yes.astype(bool) & answered, branch(then)
                number, known = np.where(taken, a, number), np.where(taken, i, known & answered)
            return number, known
        case tree.Choice(function=function, options=options):
            read = {option: branch(option) for option in options}
            number, known = read[options[0]]
            for a, i in [read[option] for option in options[1:]]:
                better = (
                    ~known if function == "coalesce" else ~known | (a < number if function == "least" else a > number)
                )
                number, known = np.where(better & i, a, number), known | i
            if function != "coalesce":  # a number among the options bounds what is held
                measured = [o for o in options if any(isinstance(part, tree.Measure) for part in tree.made_of(o))]
                known = np.any([read[option][1] for option in measured or options], axis=0)
            return number, known
        case tree.Absolute(inner=inner):
            a, i = _walk(inner, columns, rows)
            return np.abs(a), i
        case tree.Ratio(numerator=numerator, denominator=denominator):
            (a, i), (b, j) = _walk(numerator, columns, rows), _walk(denominator, columns, rows)
            shift = node.quantity.decimals - 1 + denominator.quantity.decimals - numerator.quantity.decimals
            known = i & j & (b != 0)
            b = np.where(known, b, 1) * 10 ** max(-shift, 0)
            last = min(max(shift, 0), 4)  # the last digits in a second division: these figures then fit 64 bits
            whole, rest = np.divmod(a * 10 ** (max(shift, 0) - last), b)
            further, rest = np.divmod(rest * 10**last, b)
            return np.where(known, (whole * 10**last + further) * 10 + (rest != 0), 0), known
        case tree.Cagr(end=end, start=start, years=years):
            decimals = max(end.quantity.decimals, start.quantity.decimals)
            (a, i), (b, j) = at(end, decimals), at(start, decimals)
            known = i & j & (b > 0) & (a >= 0)
            return _growth(a, np.where(known, b, 1), known, years, node.quantity.decimals), known
    raise AssertionError(type(node).__name__)


def _growth(end: np.ndarray, start: np.ndarray, known: np.ndarray, years: int, decimals: int) -> np.ndarray:
    """Cut down, with a last place that says whether anything follows. Floating point decides wherever it is far from a
    whole number; whole numbers decide the few rows that are near one."""
    unit = 10 ** (decimals - 1)
    exact = (np.where(known, end / start, 1) ** (1 / years) - 1) * unit
    grown = np.floor(exact).astype(np.int64) * 10 + 1
    near = np.abs(exact - np.rint(exact)) < 1e-4 + np.abs(exact) * 1e-9
    for row in np.flatnonzero(near & known):
        whole = int(np.rint(exact[row]))
        left, right = int(end[row]) * unit**years, int(start[row]) * (unit + whole) ** years
        grown[row] = 10 * whole + (left > right) - 9 * (left < right)
    return np.where(known, grown, 0)


_COMPARE = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


# --- values to points ----------------------------------------------------------------------------------------------


def _stages(rules: Compiled, columns: dict[str, Pair], rows: int) -> np.ndarray:
    found = np.full(rows, -1)
    for basis in rules.bases:
        readings = [_scaled(f.root, columns, rows, f.decimals) for f in basis.formulas]
        levels = [np.where(known, np.searchsorted(basis.thresholds, number, "right"), -1) for number, known in readings]
        found = np.where(found < 0, np.max(levels, axis=0), found)
    return np.where(found < 0, rules.scheme.stage_ids.index(rules.otherwise), found)


def _line(rule, value: Pair, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """Segment, raw points and points (thousandths)."""
    (number, status), curve = value, rule.curve
    held, segments = status == _CODES[VALUE], curve.segments
    unit = 10 ** (6 - curve.decimals) if curve.decimals <= 6 else 1
    lower = np.array([segment.lower * unit for segment in segments[1:]], np.int64)
    segment = np.searchsorted(lower, number, "right")
    raw = np.array([segment.start for segment in segments])[segment]
    rise = np.array([segment.end - segment.start for segment in segments])
    if rise.any():
        width = np.array([1, *np.diff(lower), 1])
        along = np.where(rise[segment] == 0, 0, number - np.array([0, *lower])[segment])
        raw = raw + (2 * along * rise[segment] + width[segment]) // (2 * width[segment])
    raw = np.where(held, raw, 0)
    points = _half_up(raw * weight, 100_000)
    return np.where(held, segment + 1, 0), raw, points


def _rank(total: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """Competition ranks, highest first, within each group."""
    group = np.zeros(len(total), np.int64) if group is None else group
    order = np.lexsort((-total, group))
    g, t = group[order], total[order]
    place = np.arange(len(order))
    new_group = np.r_[True, g[1:] != g[:-1]]
    new_total = new_group | np.r_[True, t[1:] != t[:-1]]
    first = np.maximum.accumulate(np.where(new_group, place, 0))
    tied = np.maximum.accumulate(np.where(new_total, place, 0))
    ranks: np.ndarray = np.empty(len(order), np.int64)
    ranks[order] = tied - first + 1
    return ranks


def _write(indicators, uscc, values, lines, weights, path: Path) -> None:  # type: ignore[no-untyped-def]
    """The ledger, a row group per indicator."""
    texts = pa.array(STATUSES, pa.string())
    writer, codes = None, uscc.combine_chunks()
    same: np.ndarray = np.zeros(len(codes), np.int8)
    for rule, (number, status), (segment, raw, points), weight in zip(indicators, values, lines, weights, strict=True):
        absent = status != _CODES[VALUE]
        table = pa.table(
            {
                "uscc": codes,
                "indicator": pa.DictionaryArray.from_arrays(same, [rule.indicator.id]),
                "category": pa.DictionaryArray.from_arrays(same, [rule.indicator.category]),
                "value": _decimals(number, absent, 38, 6),
                "status": pa.DictionaryArray.from_arrays(pa.array(status), texts),
                "segment": pa.array(segment.astype(np.int32), mask=absent),
                "raw_points": _decimals(raw, absent, 9, 3),
                "weight": _decimals(weight, None, 9, 3),
                "points": _decimals(points, None, 9, 3),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer:
        writer.close()


def _decimals(scaled: np.ndarray, absent: np.ndarray | None, precision: int, scale: int) -> pa.Array:
    words: np.ndarray = np.empty((len(scaled), 2), np.int64)
    words[:, 0], words[:, 1] = scaled, scaled >> 63
    known = None if absent is None else pa.py_buffer(np.packbits(~absent, bitorder="little"))
    return pa.Array.from_buffers(pa.decimal128(precision, scale), len(scaled), [known, pa.py_buffer(words)])
