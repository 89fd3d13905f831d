"""What the points are used for: honours, project recommendation, the banks' list, the ladder, and two summaries.

Every figure is a dated rule of the scheme's lists.yaml. A condition that cannot be answered (NULL) is not met. Ranks
are competition ranks; who ties at the last place of a quota is in, so no order but merit decides. Outputs are sorted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import product as combinations
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from include.kernel.columns import as_decimal, names
from include.kernel.exact import to_scaled
from include.kernel.whole import to_decimal
from include.points.rank import half_up_sql
from include.schemes.compile import COVERAGE_DECIMALS, RESULTS, Compiled, CompiledLists, Question, value_name
from include.schemes.engine import load, session
from include.schemes.expression import Quantity
from include.schemes.model import POINT_DECIMALS, HonourRule, ProductRule

HONOURS = pa.schema(
    [
        ("uscc", pa.string()),
        ("honour", pa.string()),
        ("place", pa.int64()),
        ("reason", pa.string()),
        ("robust", pa.bool_()),
    ]
)
RECOMMENDATIONS = pa.schema(
    [("uscc", pa.string()), ("programme", pa.string()), ("place", pa.int64()), ("reason", pa.string())]
)
CREDIT = pa.schema(
    [
        ("uscc", pa.string()),
        ("product", pa.string()),
        ("entry_reason", pa.string()),
        ("suggested_limit_yuan", pa.decimal128(18, 2)),
        ("stage_percentile", pa.decimal128(7, COVERAGE_DECIMALS)),
    ]
)
LADDER = pa.schema(
    [
        ("uscc", pa.string()),
        ("rung", pa.string()),
        ("holds", pa.bool_()),
        ("eligible", pa.bool_()),
        ("failed_conditions", pa.string()),
    ]
)

_STATES = ("met", "not_met", "not_held")


def lists(
    compiled: Compiled,
    *,
    points: pa.Table,
    profile: pa.Table,
    values: pa.Table,
    measures: pa.Table,
    ledger: pa.Table,
) -> dict[str, pa.Table]:
    """The four lists of the city, from ranked points. A scheme without lists.yaml gives empty tables."""
    rules = compiled.lists
    if rules is None:
        empty = {"honours": HONOURS, "project_recommendation": RECOMMENDATIONS, "credit_list": CREDIT, "ladder": LADDER}
        return {name: schema.empty_table() for name, schema in empty.items()}
    with session() as engine:
        _load_facts(engine, compiled, rules, points, values, measures)
        return {
            "honours": _honours(engine, compiled, rules),
            "project_recommendation": _recommendations(engine, rules),
            "credit_list": _credit(engine, compiled, rules),
            "ladder": _ladder(engine, rules),
        }


def stage_distribution(profile: pa.Table) -> pa.Table:
    """Enterprises per district and stage, with their share of the district; a stage without any is written as 0."""
    with session() as engine:
        engine.register("profile", profile.select(["district", "stage"]))
        found = engine.sql(
            f"""
            WITH every AS (
                SELECT * FROM (SELECT DISTINCT district FROM profile), (SELECT DISTINCT stage FROM profile)
            ), counted AS (
                SELECT district, stage, count(p.stage) AS enterprises
                FROM every LEFT JOIN profile AS p USING (district, stage) GROUP BY ALL
            ), whole AS (SELECT *, sum(enterprises) OVER (PARTITION BY district) AS n FROM counted)
            SELECT district, stage, enterprises,
                   CAST({half_up_sql(f"(enterprises * {10**COVERAGE_DECIMALS})", "n")} AS BIGINT) AS share
            FROM whole ORDER BY district, stage
            """
        ).to_arrow_table()
    return as_shares(found, ["share"])


def _load_facts(
    engine: duckdb.DuckDBPyConnection,
    compiled: Compiled,
    rules: CompiledLists,
    points: pa.Table,
    values: pa.Table,
    measures: pa.Table,
) -> None:
    """Table `facts`: per enterprise its stage and, as integers, everything that a condition or a tie-break reads."""
    read = {name for question in rules.questions for name in question.formula.inputs}
    ids = {value_name(indicator): indicator for indicator in compiled.indicators}
    of_values = sorted((read & ids.keys()) | {value_name(indicator) for indicator in rules.tie_break})
    facts = points.select(["uscc", "stage", *compiled.scheme.category_ids, *RESULTS]).sort_by("uscc")
    from_measures = sorted(read.intersection(measures.column_names))
    facts = _beside(facts, measures.select(["uscc", *from_measures]))
    for name in of_values:
        chosen = values.filter(pc.equal(names(values["indicator"]), ids[name])).select(["uscc", "value"])
        facts = _beside(facts, chosen.rename_columns(["uscc", name]))
    categories = {category: Quantity(POINT_DECIMALS, ()) for category in compiled.scheme.category_ids}
    ranked_by = [*categories, *RESULTS, *(value_name(indicator) for indicator in rules.tie_break)]
    columns = load(facts, [*ranked_by, *from_measures, *of_values], {**rules.known, **categories})
    table = {name: facts[name] for name in ("uscc", "stage")}
    for name in ranked_by:
        table[name] = to_decimal(columns[name].values, 38, 0, columns[name].known)
    for question in rules.questions:
        answer = question.formula.column(columns, facts.num_rows)
        table[_answer(question).strip('"')] = pa.array(answer.values, mask=~answer.known)
    engine.register("answered", pa.table(table))
    whole = ", ".join(f'CAST("{name}" AS HUGEINT) AS "{name}"' for name in ranked_by)
    engine.execute(f"CREATE TEMP TABLE facts AS SELECT * REPLACE ({whole}) FROM answered")
    engine.unregister("answered")
    sound = [f"NOT coalesce({_answer(veto)}, FALSE)" for veto in rules.veto]
    engine.execute(f"CREATE TEMP VIEW unblocked AS SELECT * FROM facts WHERE {' AND '.join(sound) or 'TRUE'}")
    threshold = to_scaled(rules.coverage_threshold, COVERAGE_DECIMALS)
    engine.execute(f"CREATE TEMP VIEW covered AS SELECT * FROM unblocked WHERE coverage >= {threshold}")


def _answer(question: Question) -> str:
    """The column that holds the answers to a condition; equal conditions share it."""
    return f'"is {hashlib.sha256(question.formula.text.encode()).hexdigest()[:16]}"'


def _beside(facts: pa.Table, other: pa.Table) -> pa.Table:
    """Columns of the same enterprises, matched by the sorted key."""
    other = other.sort_by("uscc")
    if not other["uscc"].equals(facts["uscc"]):
        raise ValueError("points, values and measures speak of different enterprises")
    for name in other.column_names[1:]:
        facts = facts.append_column(name, other[name])
    return facts


def _honours(engine: duckdb.DuckDBPyConnection, compiled: Compiled, rules: CompiledLists) -> pa.Table:
    """In the order of the rules; who has one honour is not considered for the next."""
    engine.execute("CREATE TEMP TABLE honoured (uscc VARCHAR, stage VARCHAR)")
    rows: list[dict[str, Any]] = []
    for honour, (rule, conditions) in rules.honours.items():
        found = engine.sql(_honour_query(compiled, rules, rule, conditions)).to_arrow_table()
        for line in found.to_pylist():
            among = line["stage"] if rule.ranked == "in_each_stage" else "、".join(rule.stages)
            reason = f"{among}第{line['place']}名，{_because(conditions)}覆盖率不低于{rules.coverage_threshold}"
            kept = {name: line[name] for name in ("uscc", "place", "robust")}
            rows.append({**kept, "honour": honour, "reason": reason})
        engine.register("found", found)
        engine.execute("INSERT INTO honoured SELECT uscc, stage FROM found")
        engine.unregister("found")
    order = {honour: place for place, honour in enumerate(rules.honours)}
    rows.sort(key=lambda row: (order[row["honour"]], row["place"], row["uscc"]))
    return pa.Table.from_pylist(rows, HONOURS)


def _honour_query(compiled: Compiled, rules: CompiledLists, rule: HonourRule, conditions: Sequence[Question]) -> str:
    """Candidates with their place, cut at the quota, and whether they stay in when one category counts more or less."""
    stages = ", ".join(f"'{stage}'" for stage in rule.stages)
    group = "stage" if rule.ranked == "in_each_stage" else "0"
    cascade = ", ".join(f"{value_name(indicator)} DESC NULLS LAST" for indicator in rules.tie_break)
    order = f"total DESC, {cascade}" if cascade else "total DESC"
    if rule.places is not None:
        quota = str(rule.places)
    else:
        share = Fraction(rule.share or 0)
        quota = (
            f"(SELECT count(*) * {share.numerator} // {share.denominator} FROM facts AS f WHERE f.stage = c.stage)"
            " - (SELECT count(*) FROM honoured AS h WHERE h.stage = c.stage)"
        )
    shift = Fraction(rules.robust_shift)
    scenarios = [
        f"(total * {shift.denominator} {sign} {category} * {shift.numerator})"
        for category, sign in combinations(compiled.scheme.category_ids, "+-")
    ]
    stays = [f"rank() OVER (PARTITION BY {group} ORDER BY {scenario} DESC) <= quota" for scenario in scenarios]
    return f"""
        WITH candidates AS (
            SELECT * FROM covered
            WHERE stage IN ({stages}) AND {_all_met(conditions)} AND uscc NOT IN (SELECT uscc FROM honoured)
        ), quotas AS (SELECT *, {quota} AS quota FROM candidates AS c),
        placed AS (
            SELECT uscc, stage, quota, rank() OVER (PARTITION BY {group} ORDER BY {order}) AS place,
                   {" AND ".join(stays)} AS robust
            FROM quotas
        )
        SELECT uscc, stage, place, robust FROM placed WHERE place <= quota ORDER BY place, uscc
    """


def _recommendations(engine: duckdb.DuckDBPyConnection, rules: CompiledLists) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for programme, (rule, conditions) in rules.programmes.items():
        found = engine.sql(
            f"""
            WITH placed AS (
                SELECT uscc, rank() OVER (ORDER BY total DESC) AS place FROM unblocked WHERE {_all_met(conditions)}
            )
            SELECT uscc, place FROM placed WHERE place <= {rule.places or "place"} ORDER BY place, uscc
            """
        ).to_arrow_table()
        reason = "、".join(question.name for question in conditions)
        rows += [{**line, "programme": programme, "reason": reason} for line in found.to_pylist()]
    return pa.Table.from_pylist(rows, RECOMMENDATIONS)


def _credit(engine: duckdb.DuckDBPyConnection, compiled: Compiled, rules: CompiledLists) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for product, (rule, conditions) in rules.products.items():
        found = engine.sql(
            "SELECT uscc, stage, CAST(total AS BIGINT) AS total, CAST(percentile_stage AS BIGINT) AS percentile"
            f" FROM covered WHERE {_all_met(conditions)} ORDER BY uscc"
        ).to_arrow_table()
        reason = f"{_because(conditions)}覆盖率不低于{rules.coverage_threshold}"
        rows += [
            {
                "uscc": line["uscc"],
                "product": product,
                "entry_reason": reason,
                "suggested_limit_yuan": suggested_limit(rule, line["stage"], line["total"], compiled.total),
                "stage_percentile": Decimal(line["percentile"]).scaleb(-COVERAGE_DECIMALS),
            }
            for line in found.to_pylist()
        ]
    return pa.Table.from_pylist(rows, CREDIT)


def suggested_limit(rule: ProductRule, stage: str, total: int, of: int) -> Decimal:
    """min(cap, base(stage) x leverage x total / of), down to a whole step; never negative. Totals in thousandths."""
    wanted = Fraction(rule.base_yuan[stage]) * Fraction(rule.leverage) * Fraction(max(total, 0), of)
    limit = min(Fraction(rule.cap_yuan), wanted)
    return rule.step_yuan * (limit // Fraction(rule.step_yuan))


def _ladder(engine: duckdb.DuckDBPyConnection, rules: CompiledLists) -> pa.Table:
    """Every enterprise on every rung. The states of all conditions travel as one number in base 3, spelt out once."""
    tables = []
    for rung, (holds, conditions) in rules.ladder.items():
        states = [
            f"CASE WHEN {_answer(c)} THEN 0 WHEN NOT {_answer(c)} THEN 1 ELSE 2 END * {3**place}"
            for place, c in enumerate(conditions)
        ]
        found = engine.sql(
            f"SELECT uscc, coalesce({_answer(holds)}, FALSE) AS holds,"
            f" CAST({' + '.join(states)} AS INTEGER) AS code FROM facts ORDER BY uscc"
        ).to_arrow_table()
        spelt = found["code"].combine_chunks().dictionary_encode()
        texts = pa.array([_failed(conditions, code) for code in spelt.dictionary.to_pylist()], pa.string())
        columns = {
            "uscc": found["uscc"],
            "rung": pa.repeat(pa.scalar(rung), found.num_rows),
            "holds": found["holds"],
            "eligible": pc.equal(found["code"], 0),
            "failed_conditions": texts.take(spelt.indices),
        }
        tables.append(pa.table(columns, LADDER))
    return (
        pa.concat_tables(tables).sort_by([("uscc", "ascending"), ("rung", "ascending")])
        if tables
        else (LADDER.empty_table())
    )


def _failed(conditions: Sequence[Question], code: int) -> str:
    failed = []
    for condition in conditions:
        code, state = divmod(code, 3)
        if state:
            failed.append({"condition": condition.name, "state": _STATES[state]})
    return json.dumps(failed, ensure_ascii=False)


def _all_met(conditions: Sequence[Question]) -> str:
    met = " AND ".join(_answer(question) for question in conditions)
    return f"coalesce({met}, FALSE)" if met else "TRUE"


def _because(conditions: Sequence[Question]) -> str:
    return "".join(f"{question.name}，" for question in conditions)


def as_shares(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """The table with whole millionths in `columns` made fractions."""
    for name in columns:
        place = table.column_names.index(name)
        table = table.set_column(place, name, as_decimal(table[name], 7, COVERAGE_DECIMALS))
    return table
