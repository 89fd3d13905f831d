"""Who is who: every registered enterprise by its codes and by the names it carries and carried, each with its time.

Only equality links: a code, the present name in its one spelling, or a former name that is believed on the record's
day. Everything else is told apart by its tier, for people to decide. Whole columns at a time: only names that take a
day to tell, and codes in an odd spelling, are looked at one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.kernel.identity import check_digit_holds, is_code_shape, normal_code, normal_name, normal_names

CODE, EXACT, ALIAS = "code", "exact", "alias"
TWO_ENTERPRISES, OTHER_NAME = "two_enterprises", "other_name"
AMBIGUOUS, OUTDATED = "ambiguous", "outdated_name"
NOT_REGISTERED_HERE, CODE_FAILS_CHECK = "code_not_registered_here", "code_fails_check"
NONE, NO_IDENTIFIER = "none", "no_identifier"
_TIERS = [CODE, EXACT, ALIAS, TWO_ENTERPRISES, OTHER_NAME, AMBIGUOUS, OUTDATED]
_TIERS += [NOT_REGISTERED_HERE, CODE_FAILS_CHECK, NONE, NO_IDENTIFIER]

Links = tuple[pa.Array, pa.Array]
"""Of each record the enterprise (null: no link) and the tier."""
_Found = tuple[pa.Array, pa.Array]
"""The same in numbers, which are quicker than texts: places in `Register.codes` and in `_TIERS`."""


class Holder(NamedTuple):
    """Who carried a name, from which day (None: from the first) until which day (None: still does)."""

    uscc: str
    since: date | None
    until: date | None


@dataclass(frozen=True)
class _Nearby:
    """A part of a column that most texts are in: a smaller index is quicker to build and to ask."""

    texts: pa.Array
    places: pa.Array

    @classmethod
    def of(cls, texts: pa.Array, chosen: pa.Array) -> _Nearby:
        return cls(texts.filter(chosen), pc.indices_nonzero(chosen).cast(pa.int32()))

    def find(self, texts: pa.Array) -> pa.Array:
        """Where each text stands in the whole column, null for one that is not in this part."""
        return self.places.take(_places(texts, self.texts))


@dataclass(frozen=True)
class Register:
    """All registered enterprises, in business or not, so that a record of a closed firm never drifts to a namesake.

    `names` holds every name once, in its one spelling; `whose` the place in `codes` of its enterprise if nobody else
    carries or carried it and it is no former name, else null: then `holders` says who and when. With `here` (one answer
    per code) only those are linked and all others are registered elsewhere; `near` are their codes and names, looked
    through first.
    """

    codes: pa.Array
    older_numbers: pa.Table
    names: pa.Array
    whose: pa.Array
    holders: dict[str, tuple[Holder, ...]]
    lag: timedelta
    here: pa.Array | None = None
    near: tuple[_Nearby, _Nearby] | None = None

    @classmethod
    def of(cls, registry: pa.Table, lag_days: int) -> Register:
        """Read `uscc`, `name`, `former_names` (`name@YYYY-MM-DD;…`) and, where there is one, `registration_no`."""
        uscc, name = registry["uscc"].combine_chunks(), normal_names(registry["name"].combine_chunks())
        carried = pa.table({"name": name, "uscc": uscc}).filter(pc.not_equal(name, ""))
        former: dict[str, list[Holder]] = defaultdict(list)
        since: dict[str, date] = {}
        renamed = registry.filter(pc.greater(pc.utf8_length(pc.fill_null(registry["former_names"], "")), 0))
        for row in renamed.select(["uscc", "former_names"]).to_pylist():
            for old, holder in _former(row["uscc"], row["former_names"]):
                former[normal_name(old)].append(holder)
                if holder.until is not None and date.min < holder.until < date.max:
                    since[row["uscc"]] = holder.until
        codes, coded = uscc.unique(), carried["name"].combine_chunks().dictionary_encode()
        names, name_of = coded.dictionary, coded.indices.to_numpy()
        carrier = pc.index_in(carried["uscc"].combine_chunks(), value_set=codes).to_numpy()
        whose: np.ndarray = np.empty(len(names), np.int32)
        whose[name_of] = carrier
        shared: np.ndarray = np.zeros(len(names), bool)
        shared[name_of[whose[name_of] != carrier]] = True
        take_a_day = pc.or_(pa.array(shared), pc.is_in(names, value_set=pa.array(list(former), pa.string())))
        dated = carried.filter(pc.is_in(carried["name"], value_set=names.filter(take_a_day)))
        for row in dated.to_pylist():
            former[row["name"]].append(Holder(row["uscc"], since.get(row["uscc"]), None))
        only_former = pa.array(sorted(former.keys() - set(dated["name"].to_pylist())), pa.string())
        only = pc.if_else(take_a_day, pa.scalar(None, pa.int32()), pa.array(whose))
        return cls(
            codes=codes,
            older_numbers=_older_numbers(registry),
            names=pa.concat_arrays([names, only_former]),
            whose=pa.concat_arrays([only, pa.nulls(len(only_former), pa.int32())]),
            holders={name: tuple(held) for name, held in former.items()},
            lag=timedelta(days=lag_days),
        )

    def within(self, codes: pa.Array) -> Register:
        """The same register seen by one district: only these `codes` are linked, the others are known as others'."""
        here = pc.is_in(self.codes, value_set=codes)
        theirs = pc.fill_null(here.take(self.whose), True)
        return replace(self, here=here, near=(_Nearby.of(self.codes, here), _Nearby.of(self.names, theirs)))

    def resolve(self, codes: Sequence[pa.Array], names: pa.Array, days: pa.Array) -> Links:
        """Who each record is about, by its codes (a later one where those before are empty) and its name on its day.

        A name never overrules a well-formed code; the code of one with the name of another links to neither, and with a
        name that nobody carries it links under doubt.
        """
        at, tier = pa.nulls(len(names), pa.int32()), pa.repeat(_tier(NO_IDENTIFIER), len(names))
        undecided = pa.repeat(pa.scalar(True), len(names))
        for texts in codes:
            if at.null_count:
                at, tier = self._by_codes(texts, at, tier, undecided)
                undecided = pc.equal(tier, _tier(NO_IDENTIFIER))
        its_own = pc.fill_null(pc.equal(self._sole_names.take(at), names), False)
        names = pc.if_else(its_own, pa.scalar(None, pa.string()), names)  # says what the code says: nothing to look up
        named, by_name = self._by_names(names, days)
        wanted = pc.and_(undecided, names.is_valid())
        doubted = self._doubted(at, named, names)
        two = pc.or_(pc.fill_null(pc.not_equal(at, named), False), pc.fill_null(doubted, False))
        at = pc.if_else(two, pa.scalar(None, pa.int32()), pc.if_else(wanted, named, at))
        tier = pc.if_else(two, _tier(TWO_ENTERPRISES), pc.if_else(wanted, by_name, tier))
        return self._told(at, pc.if_else(pc.fill_null(pc.invert(doubted), False), _tier(OTHER_NAME), tier))

    def by_names(self, names: pa.Array, days: pa.Array) -> Links:
        """Who carries each name on its day, or who ever did where the day is null. One enterprise, or no link."""
        return self._told(*self._by_names(names, days))

    def carried(self) -> Iterator[tuple[str, str]]:
        """Every name, now and before, with each enterprise that carries or carried it."""
        for name, uscc in zip(self.names.to_pylist(), self.codes.take(self.whose).to_pylist(), strict=True):
            yield from (
                ((name, holder.uscc) for holder in self.holders.get(name, ())) if uscc is None else [(name, uscc)]
            )

    def meant(self, codes: Sequence[str | None], names: Sequence[str | None]) -> list[tuple[str, ...]]:
        """Of each record everybody whose code it gives or who carries or carried its name, for people to choose."""
        spelt = [normal_name(name or "") for name in names]
        whose = self.whose.take(self._places_of_names(pa.array(spelt, pa.string())))
        coded, _ = self._spelt_codes(pa.array([code or "" for code in codes], pa.string()))
        found = []
        for name, *one in zip(spelt, *(self.codes.take(at).to_pylist() for at in (whose, coded)), strict=True):
            found.append(tuple(sorted({*filter(None, one), *(holder.uscc for holder in self.holders.get(name, ()))})))
        return found

    def linked_here(self, uscc: pa.Array, tier: pa.Array) -> Links:
        """The links, but for those to enterprises that are not registered, or not among `here`."""
        at = _places(uscc, self.codes)
        known = at.is_valid() if self.here is None else pc.fill_null(self.here.take(at), False)
        elsewhere = pc.and_not(uscc.is_valid(), known)
        return (
            pc.if_else(elsewhere, pa.scalar(None, pa.string()), uscc),
            pc.if_else(elsewhere, NOT_REGISTERED_HERE, tier),
        )

    def _doubted(self, at: pa.Array, named: pa.Array, names: pa.Array) -> pa.Array:
        """Of records that a code has linked whether others carry or carried the name beside it; null where nothing is
        wrong with it, because there is none or the linked enterprise carries or carried it.
        """
        open_ = pc.and_(pc.and_(at.is_valid(), named.is_null()), names.is_valid())
        codes = self.codes.take(at.filter(open_)).to_pylist()
        spelt = normal_names(names.filter(open_)).to_pylist()
        whose = [{holder.uscc for holder in self.holders.get(name, ())} for name in spelt]
        others = [
            None if not name or code in held else bool(held)
            for code, name, held in zip(codes, spelt, whose, strict=True)
        ]
        return pc.replace_with_mask(pa.nulls(len(at), pa.bool_()), open_, pa.array(others, pa.bool_()))

    def _told(self, at: pa.Array, tier: pa.Array) -> Links:
        if self.here is not None:
            elsewhere = pc.fill_null(pc.invert(self.here.take(at)), False)
            at = pc.if_else(elsewhere, pa.scalar(None, pa.int32()), at)
            tier = pc.if_else(elsewhere, _tier(NOT_REGISTERED_HERE), tier)
        return self.codes.take(at), pa.DictionaryArray.from_arrays(tier, pa.array(_TIERS))

    def _by_codes(self, texts: pa.Array, at: pa.Array, tier: pa.Array, undecided: pa.Array) -> _Found:
        """Whose codes or older numbers these are. `no_identifier`: neither, so that a name may decide."""
        found = _places(texts, self.codes) if self.near is None else self.near[0].find(texts)
        at = pc.if_else(undecided, found, at)
        tier = pc.if_else(pc.and_(undecided, found.is_valid()), _tier(CODE), tier)
        odd = pc.and_(pc.and_(undecided, found.is_null()), texts.is_valid())
        coded = texts.filter(odd).dictionary_encode()
        place, why = (part.take(coded.indices) for part in self._spelt_codes(coded.dictionary))
        return pc.replace_with_mask(at, odd, place), pc.replace_with_mask(tier, odd, why)

    def _spelt_codes(self, texts: pa.Array) -> _Found:
        """Codes in any spelling, or older numbers, one by one."""
        spelt = [normal_code(text) for text in texts.to_pylist()]
        uscc = [code if is_code_shape(code) else self._numbers.get(code.replace("-", "")) for code in spelt]
        at = _places(pa.array(uscc, pa.string()), self.codes)
        why = []
        for code, known in zip(spelt, at.is_valid().to_pylist(), strict=True):
            unknown = NOT_REGISTERED_HERE if check_digit_holds(code) else CODE_FAILS_CHECK
            why.append(CODE if known else unknown if is_code_shape(code) else NO_IDENTIFIER)
        return at, pa.array(map(_TIERS.index, why), pa.int8())

    def _places_of_names(self, texts: pa.Array) -> pa.Array:
        """Where each name stands in `names`: most are written in the one spelling already."""
        at = _places(texts, self.names) if self.near is None else self.near[1].find(texts)
        left = pc.and_(at.is_null(), texts.is_valid())
        spelt = normal_names(texts.filter(left))
        return pc.replace_with_mask(at, left, _places(spelt, self.names))

    def _by_names(self, names: pa.Array, days: pa.Array) -> _Found:
        coded = names.dictionary_encode()
        place = self._places_of_names(coded.dictionary)
        whose = self.whose.take(place).take(coded.indices)
        tier = pc.if_else(whose.is_valid(), _tier(EXACT), _tier(NONE))
        takes_a_day = pc.and_(place.is_valid(), self.whose.take(place).is_null()).take(coded.indices)
        dated = pc.fill_null(takes_a_day, False)
        spelt = self.names.take(place).take(coded.indices.filter(dated)).to_pylist()
        asked = list(zip(spelt, days.filter(dated).to_pylist(), strict=True))
        answers = {one: self._on(self.holders[one[0]], one[1]) for one in set(asked)}
        meant = pa.array([answers[one][0] for one in asked], pa.string())
        why = pa.array([_TIERS.index(answers[one][1]) for one in asked], pa.int8())
        return (
            pc.replace_with_mask(whose, dated, _places(meant, self.codes)),
            pc.replace_with_mask(tier, dated, why),
        )

    def _on(self, holders: tuple[Holder, ...], day: date | None) -> tuple[str | None, str]:
        """Who is believed to carry a name on a day; who carries it now is believed on any day if nobody else is."""
        believed = {holder.uscc for holder in holders if self._believed(holder, day)}
        now = {holder.uscc for holder in holders if holder.until is None}
        believed = believed or now
        if len(believed) != 1:
            return None, AMBIGUOUS if believed else OUTDATED
        return next(iter(believed)), EXACT if believed <= now else ALIAS

    def _believed(self, holder: Holder, day: date | None) -> bool:
        if day is None:
            return holder.until != date.min
        begun = holder.since is None or holder.since <= day
        return begun and (holder.until is None or day - self.lag <= holder.until)

    @cached_property
    def _sole_names(self) -> pa.Array:
        """Of each code the name, in its one spelling, that it carries and nobody else does or did; null without one."""
        sole = self.whose.is_valid().to_numpy(zero_copy_only=False)
        place: np.ndarray = np.full(len(self.codes), -1)
        place[self.whose.drop_null().to_numpy()] = np.flatnonzero(sole)
        return self.names.take(pa.array(place, mask=place < 0))

    @cached_property
    def _numbers(self) -> dict[str, str]:
        """The identifiers from before 2015: organisation numbers (GB 11714, nine characters of the credit code) and
        registration numbers of 15 digits. A number of two enterprises is neither's.
        """
        once = self.older_numbers.group_by("number").aggregate([("uscc", "min"), ("uscc", "max")]).to_pylist()
        return {row["number"]: row["uscc_min"] for row in once if row["uscc_min"] == row["uscc_max"]}


def _places(texts: pa.Array, column: pa.Array) -> pa.Array:
    """Where each text stands in `column`, which says nothing twice; null for one that does not stand there.

    Arrow builds an index of the whole column to look up one text: of a few texts it is quicker to index the texts.
    """
    if 4 * len(texts) > len(column):
        return pc.index_in(texts, value_set=column)
    at = pc.indices_nonzero(pc.is_in(column, value_set=texts)).cast(pa.int32())
    return at.take(pc.index_in(texts, value_set=column.take(at)))


def _older_numbers(registry: pa.Table) -> pa.Table:
    codes = registry["uscc"]
    numbers = [pc.utf8_slice_codeunits(codes, 8, 17)]
    if "registration_no" in registry.column_names:
        numbers.append(registry["registration_no"])
    return pa.concat_tables(pa.table({"number": number, "uscc": codes}) for number in numbers)


def _tier(name: str) -> pa.Scalar:
    return pa.scalar(_TIERS.index(name), pa.int8())


def _former(uscc: str, former_names: str) -> Iterator[tuple[str, Holder]]:
    """Former names in order of time. One without a day is believed for ever, one whose day cannot be read never."""
    since = None
    dated = [_dated(text) for text in former_names.replace("；", ";").split(";") if text.strip()]
    for name, until in sorted(dated, key=lambda one: one[1]):
        known = until not in (date.min, date.max)
        yield name, Holder(uscc, since if known else None, until)
        since = until if known else since


def _dated(text: str) -> tuple[str, date]:
    name, at, day = text.partition("@")
    try:
        return name, date.fromisoformat(day.strip()) if at else date.max
    except ValueError:
        return name, date.min
