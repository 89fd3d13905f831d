"""Which columns of which records a measure is made of, read out of its SQL: no database, no data.

A column counts when the number is computed from it, or when it decides which rows count (where, join, group, having,
qualify), through every sub-query on the way. Only the datasets that the measure declares are looked at.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from include.contracts import contracts
from include.contracts.code_lists import code_list
from include.measures.registry import DELIVERED, ENTERPRISES, Measure, Subject, subjects

REGISTRY = "REG_ENT"
_DECIDES_ROWS = ("where", "group", "having", "qualify")
Column = tuple[str, str]


@cache
def origins(measure: Measure) -> dict[str, tuple[str, ...]]:
    """Dataset → columns, in the order of the contract; the enterprise's key itself is not told."""
    found = _columns_of(measure.subject)[measure.name]
    by_dataset = {}
    for dataset in measure.datasets:
        table = ENTERPRISES if dataset == REGISTRY else dataset.lower()
        read = {column for name, column in found if name == table}
        by_dataset[dataset] = tuple(column for column in contracts()[dataset].columns if column in read - {"uscc"})
    return by_dataset


@cache
def _columns_of(subject: str) -> dict[str, set[Column]]:
    """Every output of a subject with the (table, column) pairs behind it."""
    read = subjects()[subject]
    tree = sqlglot.parse_one(read.sql, dialect="duckdb")
    qualified = qualify(tree, schema=_schema(read), dialect="duckdb", validate_qualify_columns=False)
    scope = build_scope(qualified)
    assert scope is not None, "a subject is one SELECT"
    reader = _Reader()
    return {measure.name: reader.behind(scope, measure.name) for measure in read.outputs}


def _schema(subject: Subject) -> dict[str, dict[str, str]]:
    """Every table that the SQL reads with its columns; what their types are does not matter here."""
    datasets = {name.lower(): contract for name, contract in contracts().items()}

    def columns(table: str) -> list[str]:
        if table == DELIVERED:
            return list(datasets)
        if table == ENTERPRISES:
            return ["uscc", *(name for name in contracts()[REGISTRY].columns if name != "uscc")]
        if table in datasets:
            return datasets[table].conformed_schema().names
        return code_list(table, date.max).column_names

    return {table: dict.fromkeys(columns(table), "text") for table in subject.inputs}


class _Reader:
    """Follows columns down through the scopes of one statement."""

    def __init__(self) -> None:
        self.seen: dict[tuple[int, str | None], set[Column]] = {}

    def behind(self, scope: Scope, output: str | None) -> set[Column]:
        """The columns behind one output of a scope, or behind all of them (None)."""
        key = id(scope), output
        if key not in self.seen:
            self.seen[key] = set()  # a scope that reads itself ends here
            united = isinstance(scope.expression, exp.SetOperation)  # also as a derived table
            self.seen[key] = self._set_operation(scope, output) if united else self._select(scope, output)
        return self.seen[key]

    def _set_operation(self, scope: Scope, output: str | None) -> set[Column]:
        place = None if output is None else scope.expression.named_selects.index(output)
        found: set[Column] = set()
        for branch in scope.set_operation_scopes:
            found |= self.behind(branch, None if place is None else branch.expression.named_selects[place])
        return found

    def _select(self, scope: Scope, output: str | None) -> set[Column]:
        select, nested = scope.expression, {id(inner.expression): inner for inner in scope.subquery_scopes}
        parts = [part for part in select.selects if output in (None, part.alias_or_name)]
        parts += [select.args[name] for name in _DECIDES_ROWS if select.args.get(name)]
        parts += select.args.get("joins") or []
        found: set[Column] = set()

        def visit(node: exp.Expression) -> None:
            inner = nested.get(id(node)) or (nested.get(id(node.this)) if isinstance(node, exp.Subquery) else None)
            if inner is not None:
                found.update(self.behind(inner, None))
            elif isinstance(node, exp.Column):
                found.update(self._source(scope, node))
            elif not isinstance(node, exp.Table | exp.Subquery):
                for child in node.iter_expressions():
                    visit(child)

        for part in parts:
            visit(part)
        return found

    def _source(self, scope: Scope, column: exp.Column) -> set[Column]:
        source = scope.sources.get(column.table)
        if isinstance(source, Scope):
            return self.behind(source, column.name) if column.name in source.expression.named_selects else set()
        return {(source.name, column.name)} if source is not None else set()
