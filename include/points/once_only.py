"""Once only: which points came wholly from records that departments hold already, which did not, and why not.

A pair is an enterprise and an indicator that applies to it. It is *from records* when its value was computed and every
dataset it was computed from is as fresh as its contract asks. Otherwise it is a gap with exactly one reason:

- `no_source`: no department delivers what the indicator needs (yet)
- `not_held`: the datasets are delivered, but hold nothing of this enterprise for the measures named by them
- `no_value`: everything is held, and the records give no value (a denominator of zero)
- `in_quarantine`: records exist, validation holds them back
- `stale`: computed, but from a snapshot older than its contract allows by the day of publication

A value that had to fall back to a second source is still from records: the enterprise was not asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from include.kernel.columns import names
from include.points.lists import as_shares
from include.points.rank import half_up_sql
from include.schemes.compile import COVERAGE_DECIMALS, Compiled, CompiledIndicator
from include.schemes.engine import session
from include.schemes.paper_form import PaperForm
from include.schemes.status import IN_QUARANTINE, NOT_APPLICABLE, VALUE

NO_SOURCE, NOT_HELD, NO_VALUE, STALE = "no_source", "not_held", "no_value", "stale"
REASONS = (NO_SOURCE, NOT_HELD, NO_VALUE, IN_QUARANTINE, STALE)

STALE_DATASETS = pa.schema([("district", pa.string()), ("dataset", pa.string())])


def once_only(
    compiled: Compiled,
    *,
    profile: pa.Table,
    values: pa.Table,
    measures: pa.Table,
    quarantined: pa.Table,
    stale: pa.Table,
    datasets_of: Mapping[str, Sequence[str]],
    form: PaperForm | None,
) -> dict[str, pa.Table]:
    """The tables of the once-only ledger.

    `quarantined`: pairs (uscc, dataset) held back. `stale`: pairs (district, dataset) whose snapshot is too old.
    `datasets_of`: the datasets that each measure is made from.
    `once_only` per district, `once_only_indicator` per indicator: pairs, and shares plain and weighted (each pair with
    its weight in the enterprise's stage). `once_only_gap` names each pair that is not from records, with the datasets
    that would have to hold something; `once_only_reason` counts them. `fields_saved`: see `_fields_saved`.
    """
    with session() as engine:
        _load(engine, compiled, profile, values, measures, quarantined, stale, datasets_of)
        district = _counted(engine, "district")
        indicator = _counted(engine, "indicator")
        order = {name: place for place, name in enumerate(compiled.indicators)}
        gaps = engine.sql(
            "SELECT uscc, indicator, reason, datasets FROM pairs WHERE reason IS NOT NULL ORDER BY uscc, indicator"
        ).to_arrow_table()
        reasons = engine.sql(
            """
            SELECT district, indicator, reason, count(*) AS pairs FROM pairs WHERE reason IS NOT NULL
            GROUP BY ALL ORDER BY district, indicator, reason
            """
        ).to_arrow_table()
        saved = _fields_saved(engine, form)
    places = pa.array([order[name] for name in indicator["indicator"].to_pylist()], pa.int64())
    in_order = indicator.append_column("place", places).sort_by("place").drop_columns(["place"])
    return {
        "once_only": district,
        "once_only_indicator": in_order,
        "once_only_gap": gaps,
        "once_only_reason": reasons,
        "fields_saved": saved,
    }


def _load(
    engine: duckdb.DuckDBPyConnection,
    compiled: Compiled,
    profile: pa.Table,
    values: pa.Table,
    measures: pa.Table,
    quarantined: pa.Table,
    stale: pa.Table,
    datasets_of: Mapping[str, Sequence[str]],
) -> None:
    """Table `pairs`: every pair that applies, its weight, its reason (NULL: from records) and the datasets to blame."""
    rules = list(compiled.indicators.values())
    made_from = {
        (rule.indicator.id, dataset)
        for rule in rules
        for measure in (rule.formula.inputs if rule.formula else ())
        for dataset in datasets_of.get(measure, ())
    }
    sources = [{"indicator": indicator, "dataset": dataset} for indicator, dataset in sorted(made_from)]
    declared = [
        {"indicator": r.indicator.id, "has_formula": r.formula is not None, "named": " ".join(r.indicator.sources)}
        for r in rules
    ]
    weights = [
        {"stage": stage, "indicator": name, "weight": weight}
        for stage, of_stage in compiled.weights.items()
        for name, weight in of_stage.items()
    ]
    engine.register("profile", profile.select(["uscc", "district", "stage"]))
    plain = {name: names(values[name]) for name in ("uscc", "indicator", "status")}
    engine.register("valued", pa.table(plain))
    engine.register("measures", measures)
    engine.register("held_back", quarantined.select(["uscc", "dataset"]))
    engine.register("too_old", stale)
    engine.register("declared", pa.Table.from_pylist(declared))
    engine.register("weights", pa.Table.from_pylist(weights))
    engine.register(
        "made_from", pa.Table.from_pylist(sources, pa.schema([("indicator", pa.string()), ("dataset", pa.string())]))
    )
    engine.execute(f"CREATE TEMP TABLE unknown AS {_unknown(rules, datasets_of)}")
    engine.execute(
        f"""
        CREATE TEMP TABLE stale AS
        SELECT t.district, m.indicator, string_agg(DISTINCT m.dataset, ' ' ORDER BY m.dataset) AS datasets
        FROM too_old AS t INNER JOIN made_from AS m USING (dataset) GROUP BY t.district, m.indicator;
        CREATE TEMP TABLE quarantined AS
        SELECT h.uscc, m.indicator, string_agg(DISTINCT m.dataset, ' ' ORDER BY m.dataset) AS datasets
        FROM held_back AS h INNER JOIN made_from AS m USING (dataset) GROUP BY h.uscc, m.indicator;
        CREATE TEMP TABLE pairs AS
        WITH judged AS (
            SELECT v.uscc, v.indicator, p.district, w.weight,
                CASE
                    WHEN v.status = '{VALUE}' AND s.indicator IS NULL THEN NULL
                    WHEN v.status = '{VALUE}' THEN '{STALE}'
                    WHEN v.status = '{IN_QUARANTINE}' THEN '{IN_QUARANTINE}'
                    WHEN NOT d.has_formula THEN '{NO_SOURCE}'
                    WHEN u.datasets <> '' THEN '{NOT_HELD}'
                    ELSE '{NO_VALUE}'
                END AS reason,
                s.datasets AS stale, q.datasets AS quarantined, d.named, u.datasets AS unknown
            FROM valued AS v
            INNER JOIN profile AS p USING (uscc)
            INNER JOIN weights AS w USING (stage, indicator)
            INNER JOIN declared AS d USING (indicator)
            LEFT JOIN stale AS s ON s.district = p.district AND s.indicator = v.indicator
            LEFT JOIN quarantined AS q ON q.uscc = v.uscc AND q.indicator = v.indicator
            LEFT JOIN unknown AS u ON u.uscc = v.uscc AND u.indicator = v.indicator
            WHERE v.status <> '{NOT_APPLICABLE}'
        )
        SELECT uscc, indicator, district, weight, reason, CASE reason
            WHEN '{STALE}' THEN stale WHEN '{IN_QUARANTINE}' THEN quarantined
            WHEN '{NO_SOURCE}' THEN named WHEN '{NOT_HELD}' THEN unknown ELSE '' END AS datasets
        FROM judged
        """
    )


def _unknown(rules: Sequence[CompiledIndicator], datasets_of: Mapping[str, Sequence[str]]) -> str:
    """Per enterprise and indicator the datasets of the measures that are NULL, for every pair where one is."""
    selects = []
    for rule in rules:
        if rule.formula is None:
            continue
        blamed = [
            f"CASE WHEN {measure} IS NULL THEN [{', '.join(map(repr, datasets))}] ELSE [] END"
            for measure in rule.formula.inputs
            if (datasets := datasets_of.get(measure))
        ]
        if blamed:
            listed = f"list_sort(list_distinct(flatten([{', '.join(blamed)}])))"
            selects.append(
                f"SELECT uscc, '{rule.indicator.id}' AS indicator, array_to_string({listed}, ' ') AS datasets"
                f" FROM measures"
            )
    nothing = "SELECT CAST(NULL AS VARCHAR) AS uscc, '' AS indicator, '' AS datasets WHERE FALSE"
    return f"SELECT * FROM ({' UNION ALL '.join([nothing, *selects])}) AS every WHERE datasets <> ''"


def _counted(engine: duckdb.DuckDBPyConnection, key: str) -> pa.Table:
    found = engine.sql(
        f"""
        WITH counted AS (
            SELECT {key}, count(*) AS applicable, count(*) FILTER (reason IS NULL) AS from_records,
                   CAST(sum(weight) AS HUGEINT) AS weight,
                   CAST(coalesce(sum(weight) FILTER (reason IS NULL), 0) AS HUGEINT) AS held_weight
            FROM pairs GROUP BY {key}
        )
        SELECT {key}, applicable AS applicable_pairs, from_records AS from_records_pairs,
               CAST({_share("from_records", "applicable")} AS BIGINT) AS share,
               CAST({_share("held_weight", "weight")} AS BIGINT) AS weighted_share
        FROM counted ORDER BY {key}
        """
    ).to_arrow_table()
    return as_shares(found, ["share", "weighted_share"])


def _fields_saved(engine: duckdb.DuckDBPyConnection, form: PaperForm | None) -> pa.Table:
    """Per district, against the frozen paper form: the fields its enterprises would have had to fill in, each distinct
    field once per enterprise, and those that nobody asked for because an indicator that needs it came from records.
    """
    fields = (
        [] if form is None else [{"indicator": i, "field": f} for i, asked in form.indicators.items() for f in asked]
    )
    engine.register(
        "form", pa.Table.from_pylist(fields, pa.schema([("indicator", pa.string()), ("field", pa.string())]))
    )
    since = "NULL" if form is None else f"'{form.since.isoformat()}'"
    found = engine.sql(
        f"""
        WITH asked AS (
            SELECT p.district, p.uscc, f.field, bool_or(p.reason IS NULL) AS saved
            FROM pairs AS p INNER JOIN form AS f USING (indicator) GROUP BY ALL
        ), counted AS (
            SELECT district, count(DISTINCT uscc) AS enterprises, count(*) AS asked, count(*) FILTER (saved) AS saved
            FROM asked GROUP BY district
        )
        SELECT district, CAST({since} AS DATE) AS form_from, enterprises,
               asked AS fields_asked, saved AS fields_saved, CAST({_share("saved", "asked")} AS BIGINT) AS share
        FROM counted ORDER BY district
        """
    ).to_arrow_table()
    return as_shares(found, ["share"])


def _share(part: str, whole: str) -> str:
    return f"coalesce({half_up_sql(f'({part} * {10**COVERAGE_DECIMALS})', whole)}, 0)"
