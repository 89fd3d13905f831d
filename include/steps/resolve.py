"""A list of names to credit codes, for an officer: `innopoints resolve`.

In: a CSV with a column `name` (a cell may list several, parted by `;`), and a registry with `uscc, name` and, if
wanted, `former_names` (parted by `;`, each perhaps `name@YYYY-MM-DD` until which it was carried). Out: one line per
name, with a tier. Only `exact` and `alias` carry a code; others carry candidates for a person to look at: at most three
that are like it, or all enterprises that share the name. A code that the registry gives two names is for review too; so
is a name whose code in the registry fails its check, and such a code is nobody's candidate.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from include.conformed.candidates import Candidates
from include.conformed.names import (
    BRANCH,
    FIRM,
    FOREIGN,
    INSTITUTION,
    LONGEST,
    PERSON,
    SEPARATORS,
    TOO_LONG,
    UNCLEAR,
    head,
    kind,
    split,
)
from include.conformed.register import ALIAS, AMBIGUOUS, EXACT, NONE, OUTDATED, Register
from include.kernel.cells import write_csv
from include.kernel.errors import BadInput
from include.kernel.identity import check_digit_holds, normal_code, normal_names

RESULT = ["name", "uscc", "tier", "candidates"]
REVIEW = "review"
TIERS = (EXACT, ALIAS, REVIEW, BRANCH, INSTITUTION, PERSON, NONE)
_NOTHING = "nothing was written"
_TOLD = 5
_TIERS = {EXACT: EXACT, ALIAS: ALIAS, AMBIGUOUS: REVIEW, OUTDATED: REVIEW}
_OF_KIND = {FIRM: NONE, UNCLEAR: NONE, FOREIGN: NONE, TOO_LONG: REVIEW}
_OF_KIND |= {one: one for one in (BRANCH, INSTITUTION, PERSON)}
_FORMER_NAME = re.compile(r"[^@]+(@\d{4}-\d{2}-\d{2})?")


class Answer(NamedTuple):
    """What a name comes to: its tier, and a code or candidates."""

    name: str
    tier: str
    uscc: str = ""
    candidates: tuple[str, ...] = ()


class Resolved(NamedTuple):
    """How many names of each tier, and what is wrong with the files, if anything: each in one line without a name."""

    tiers: Counter[str]
    doubts: list[str]


def resolve_file(names: Path, registry: Path, out: Path) -> Resolved:
    """Resolve the file `names` against the file `registry`; write `out`."""
    known, failing = _registry(registry)
    cells = [(line.at, name) for line in _rows(names, ["name"]) for name in _each(line.row["name"])]
    asked = [name for _, name in cells]
    answers = resolve_names(asked, known)
    write_csv(
        out,
        RESULT,
        ((one.name, one.uscc, one.tier, ";".join(one.candidates)) for one in answers),
        made_of=[names, registry],
    )
    long = [at for at, name in cells if kind(name) == TOO_LONG]
    return Resolved(
        Counter(one.tier for one in answers), [*_of_codes(registry, failing, known), *_of_texts(names, long)]
    )


def resolve_names(names: Sequence[str], registry: pa.Table) -> list[Answer]:
    """An answer per name, in order, against a table `uscc, name, former_names`."""
    register = Register.of(registry, lag_days=0)  # a list of names has no date: former names are believed
    different = list(dict.fromkeys(names))
    uscc, tier = register.by_names(pa.array(different, pa.string()), pa.nulls(len(different), pa.date32()))
    failing = set(filter(lambda code: not check_digit_holds(code), register.codes.to_pylist()))
    answers, doubtful = {}, failing | _under_two_names(registry)
    for name, code, why in zip(different, uscc.to_pylist(), tier.to_pylist(), strict=True):
        if code in doubtful:
            answers[name] = Answer(name, REVIEW)
            continue
        answers[name] = Answer(name, _TIERS[why] if why != NONE else _OF_KIND[kind(name)], code or "")
    shared = [name for name, answer in answers.items() if answer.tier == REVIEW]
    for name, among in zip(shared, register.meant([None] * len(shared), shared), strict=True):
        answers[name] = answers[name]._replace(candidates=among)
    unlike = [name for name, answer in answers.items() if answer.tier in (NONE, BRANCH)]
    if unlike:
        candidates = Candidates(register.carried())
        for name, found in zip(unlike, candidates.of([head(name) for name in unlike]), strict=True):
            reviewed = found and answers[name].tier == NONE
            answers[name] = answers[name]._replace(candidates=found, tier=REVIEW if reviewed else answers[name].tier)
    return [_without(failing, answers[name]) for name in names]


def _without(failing: set[str], answer: Answer) -> Answer:
    """The answer without the codes that cannot be right."""
    return answer._replace(candidates=tuple(code for code in answer.candidates if code not in failing))


def _under_two_names(registry: pa.Table) -> set[str]:
    """The codes that stand in the registry with different names: either line may be wrong, so neither links."""
    named = pa.table({"uscc": registry["uscc"], "name": normal_names(registry["name"].combine_chunks())})
    first = named.group_by("uscc").aggregate([("name", "min"), ("name", "max")])
    return set(first.filter(pc.not_equal(first["name_min"], first["name_max"]))["uscc"].to_pylist())


def _each(cell: str) -> list[str]:
    """The names in a cell; one alone that nothing parts, and a cell without any, stay as they are written."""
    return split(cell) or [cell] if SEPARATORS.search(cell) else [cell]


class _Line(NamedTuple):
    at: str
    row: dict[str, str]


def _registry(path: Path) -> tuple[pa.Table, list[str]]:
    """The registry, and where in it the codes stand that fail their check."""
    failing: list[str] = []
    columns: dict[str, list[str]] = {"uscc": [], "name": [], "former_names": []}
    for at, row in _rows(path, ["uscc", "name"]):
        uscc, former = normal_code(row["uscc"]), row.get("former_names") or ""
        for what, text in (("uscc", uscc), ("name", row["name"].strip())):
            if not text:
                raise BadInput(f"no {what}", where=at, kept=_NOTHING, todo="complete the line or take it out")
        for name in split(former):
            if not _FORMER_NAME.fullmatch(name) or not _is_day(name.partition("@")[2]):
                raise BadInput(
                    "a former name is neither a name nor name@YYYY-MM-DD", where=at, kept=_NOTHING, todo="correct it"
                )
        if not check_digit_holds(uscc):
            failing.append(at)
        for column, text in zip(columns.values(), (uscc, row["name"], former), strict=True):
            column.append(text)
    if not columns["uscc"]:
        raise BadInput("no enterprise", where=str(path), kept=_NOTHING, todo="write uscc, name rows")
    return pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()}), failing


def _of_codes(path: Path, failing: list[str], registry: pa.Table) -> Iterator[str]:
    if failing:
        yield _doubt(
            f"{len(failing)} of {registry.num_rows} codes fail the check of GB 32100, {_at(failing)}",
            path,
            "what the others link; a name that only such a line carries is for review, without a candidate",
            "correct these codes and resolve again, or look the names up by hand",
        )


def _of_texts(path: Path, long: list[str]) -> Iterator[str]:
    if long:
        yield _doubt(
            f"{len(long)} names have more than {LONGEST} characters, {_at(long)}",
            path,
            "all the others' answers; these are for review, without a candidate",
            "part the names in such a cell by ;",
        )


def _doubt(what: str, path: Path, kept: str, todo: str) -> str:
    return str(BadInput(what, where=str(path), kept=kept, todo=todo))


def _at(places: list[str]) -> str:
    lines = list(dict.fromkeys(at.rpartition(" ")[2] for at in places))
    more = f" and {len(lines) - _TOLD} more" if len(lines) > _TOLD else ""
    return f"at line {', '.join(lines[:_TOLD])}{more}"


def _rows(path: Path, required: list[str]) -> Iterator[_Line]:
    """The lines of a CSV in UTF-8, columns taken by name; columns that nobody asked for are left alone."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            lines = csv.DictReader(text, strict=True)
            for name in required:
                if (found := list(lines.fieldnames or []).count(name)) != 1:
                    raise BadInput(
                        f"{'no' if not found else 'more than one'} column {name!r}",
                        where=f"{path} line 1",
                        kept=_NOTHING,
                        todo=f"head the columns {', '.join(required)}",
                    )
            for row in lines:
                at = f"{path} line {lines.line_num}"
                if None in row or None in row.values():
                    raise BadInput("not as many cells as there are columns", where=at, kept=_NOTHING)
                yield _Line(at, row)
    except UnicodeDecodeError:
        raise BadInput("not UTF-8", where=str(path), kept=_NOTHING, todo="save it as CSV UTF-8") from None
    except (OSError, csv.Error) as error:
        raise BadInput(f"not a readable CSV: {error}", where=str(path), kept=_NOTHING) from None


def _is_day(text: str) -> bool:
    try:
        return not text or bool(date.fromisoformat(text))
    except ValueError:
        return False
