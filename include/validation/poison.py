"""A row on which a rule crashes waits for a person, and the rule goes on without it.

A crash is a mistake of ours, not of the record: nobody knows what the rule would have said. So the row is held back
(`rule_error`), never dropped and never passed. A rule that crashes on many rows is broken itself and stops the task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import pyarrow as pa

from include.kernel.errors import InnopointsError, TerminalError

RULE_ERROR = "rule_error"
MOST = 8
"""Rows on which rules may crash before the rules are taken to be broken."""

Judged = TypeVar("Judged")


def apart(rows: pa.Table, judge: Callable[[pa.Table], Judged], where: str) -> tuple[list[int], Judged]:
    """The positions of the rows on which `judge` crashes, and what it says of all others.

    They are found by halving, which costs nothing as long as nothing crashes.
    """
    try:
        return [], judge(rows)
    except Exception as crash:  # noqa: BLE001 - a rule may raise anything
        poison: list[int] = []
        for position in _crashing(rows, judge, 0, rows.num_rows):
            poison.append(position)
            if len(poison) > MOST:
                raise _broken(crash, where) from None
        others = sorted(set(range(rows.num_rows)) - set(poison))
        if not others or not poison:
            raise _broken(crash, where) from None
        try:
            return poison, judge(rows.take(pa.array(others)))
        except Exception as again:  # noqa: BLE001 - as above
            raise _broken(again, where) from None


def _crashing(rows: pa.Table, judge: Callable[[pa.Table], object], start: int, length: int) -> Iterator[int]:
    try:
        if length:
            judge(rows.slice(start, length))
    except Exception:  # noqa: BLE001 - as above
        if length == 1:
            yield start
        else:
            yield from _crashing(rows, judge, start, length // 2)
            yield from _crashing(rows, judge, start + length // 2, length - length // 2)


def _broken(crash: Exception, where: str) -> Exception:
    """An error of ours says already what to do; of another only its kind is said, its text may quote a record."""
    if isinstance(crash, InnopointsError):
        return crash
    return TerminalError(
        f"a rule cannot be run ({type(crash).__name__})",
        where=where,
        kept="the landed snapshot and the last accepted one",
        todo="correct the contract or the check, then clear the validate task",
    )
