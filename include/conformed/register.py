"""Who is who: every registered enterprise by its codes and by the names it carries and carried, each with its time.

Only equality links: a code, the present name in its one spelling, or a former name that is believed on the record's
day. Everything else is told by its tier, with the enterprises it may mean, for people to decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import pyarrow as pa

from include.conformed.names import normal
from include.kernel.identity import check_digit_holds, is_code_shape, normal_code

CODE, EXACT, ALIAS = "code", "exact", "alias"
TWO_ENTERPRISES, AMBIGUOUS, OUTDATED = "two_enterprises", "ambiguous", "outdated_name"
NOT_REGISTERED_HERE, CODE_FAILS_CHECK = "code_not_registered_here", "code_fails_check"
NONE, NO_IDENTIFIER = "none", "no_identifier"
LINKED = frozenset({CODE, EXACT, ALIAS})


class Link(NamedTuple):
    """What a record's identifiers come to: an enterprise and by which tier, or none and whom they may mean."""

    uscc: str | None
    tier: str
    among: tuple[str, ...] = ()


class Holder(NamedTuple):
    """Who carried a name, from which day (None: from the first) until which day (None: still does)."""

    uscc: str
    since: date | None
    until: date | None


@dataclass(frozen=True)
class Register:
    """All registered enterprises, in business or not, so that a record of a closed firm never drifts to a namesake.

    `holders` goes by the name's one spelling; `numbers` are the identifiers from before 2015: the organisation number
    (GB 11714, nine characters, part of the credit code) and the registration number of 15 digits.
    """

    codes: frozenset[str]
    numbers: dict[str, str]
    holders: dict[str, tuple[Holder, ...]]
    lag: timedelta

    @classmethod
    def of(cls, registry: pa.Table, lag_days: int) -> Register:
        """Read `uscc`, `name`, `former_names` (`name@YYYY-MM-DD;…`) and, where there is one, `registration_no`."""
        holders: dict[str, dict[Holder, None]] = defaultdict(dict)
        numbers: dict[str, str | None] = {}
        columns = ["uscc", "name", "former_names"]
        dated = "registration_no" in registry.column_names
        rows = registry.select([*columns, "registration_no"] if dated else columns).to_pylist()
        for row in rows:
            uscc = row["uscc"]
            for name, holder in _names(uscc, row["name"], row["former_names"]):
                holders[normal(name)][holder] = None
            for number in (uscc[8:17], row.get("registration_no")):
                if number and numbers.setdefault(number, uscc) != uscc:
                    numbers[number] = None  # of two enterprises: of neither
        return cls(
            frozenset(row["uscc"] for row in rows),
            {number: uscc for number, uscc in numbers.items() if uscc},
            {name: tuple(held) for name, held in holders.items()},
            timedelta(days=lag_days),
        )

    def by_name(self, text: str, on: date | None = None) -> Link:
        """Who carries this name on a day, or who ever did when the record has none. One enterprise, or no link."""
        held = self.holders.get(normal(text), ())
        if not held:
            return Link(None, NONE)
        believed = [holder for holder in held if self._believed(holder, on)]
        if on is not None and not believed:  # a later name on an earlier record
            believed = [holder for holder in held if holder.until is None]
        meant = tuple(sorted({holder.uscc for holder in believed or held}))
        if not believed:
            return Link(None, OUTDATED, meant)
        if len(meant) > 1:
            return Link(None, AMBIGUOUS, meant)
        carries = any(holder.uscc == meant[0] and holder.until is None for holder in held)
        return Link(meant[0], EXACT if carries else ALIAS)

    def by_code(self, text: str) -> Link:
        """Whose code or older number this is. `no_identifier` means that it is neither: then a name may decide."""
        code = normal_code(text)
        if code in self.codes:
            return Link(code, CODE)
        if is_code_shape(code):
            return Link(None, NOT_REGISTERED_HERE if check_digit_holds(code) else CODE_FAILS_CHECK)
        number = self.numbers.get(code.replace("-", ""))
        return Link(number, CODE) if number else Link(None, NO_IDENTIFIER)

    def resolve(self, codes: tuple[str | None, ...], name: str | None, on: date | None = None) -> Link:
        """Who a record is about. A name never overrules a well-formed code; a code and another's name link to neither.

        A code that fails its check digit links to nobody; the name says whom it may mean.
        """
        named = self.by_name(name, on) if name else Link(None, NO_IDENTIFIER)
        for text in codes:
            coded = self.by_code(text) if text else Link(None, NO_IDENTIFIER)
            if coded.uscc and named.uscc and coded.uscc != named.uscc:
                return Link(None, TWO_ENTERPRISES, (coded.uscc, named.uscc))
            if coded.tier == CODE_FAILS_CHECK:
                return Link(None, CODE_FAILS_CHECK, (named.uscc,) if named.uscc else named.among)
            if coded.tier != NO_IDENTIFIER:
                return coded
        return named

    def _believed(self, holder: Holder, on: date | None) -> bool:
        if on is None:
            return holder.until != date.min
        begun = holder.since is None or holder.since <= on
        return begun and (holder.until is None or on - self.lag <= holder.until)


def _names(uscc: str, name: str, former_names: str | None) -> Iterator[tuple[str, Holder]]:
    """Present and former names in order of time. A day that cannot be read makes its name one that nobody believes."""
    dated = [_former(text) for text in (former_names or "").replace("；", ";").split(";") if text.strip()]
    since = None
    for former, until in sorted(dated, key=lambda one: one[1]):
        known = until not in (date.min, date.max)
        yield former, Holder(uscc, since if known else None, until)
        since = until if known else since
    yield name, Holder(uscc, since, None)


def _former(text: str) -> tuple[str, date]:
    """`name@day` until which it was carried; without a day it is believed for ever, with an unreadable one never."""
    name, at, day = text.partition("@")
    try:
        return name, date.fromisoformat(day.strip()) if at else date.max
    except ValueError:
        return name, date.min
