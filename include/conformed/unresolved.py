"""Records that equality leaves open: what people have decided about them, and what still waits, listed and counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from include.conformed.names import (
    BRANCH,
    FIRM,
    FOREIGN,
    INSTITUTION,
    PERSON,
    TOO_LONG,
    UNCLEAR,
    kind,
    may_be_person,
    parts,
    split,
)
from include.conformed.register import (
    AMBIGUOUS,
    CODE_FAILS_CHECK,
    NONE,
    OTHER_NAME,
    OUTDATED,
    TWO_ENTERPRISES,
    Links,
    Register,
)
from include.contracts import Entity
from include.kernel.identity import normal_code, normal_name

UNRESOLVED = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("tier", pa.string(), metadata={"is": "why no enterprise is linked, or under what doubt"}),
        pa.field("code", pa.string(), metadata={"is": "as written; null for tiers that are counted only"}),
        pa.field("name", pa.string(), metadata={"is": "as written; null for tiers that are counted only"}),
        pa.field("among", pa.string(), metadata={"is": "codes of those it may mean by equality, parted by ;"}),
        pa.field("rows", pa.int64()),
    ]
)
DECIDED, DECIDED_NOBODY = "decided", "decided_nobody"
REVIEWED = (AMBIGUOUS, OUTDATED, TWO_ENTERPRISES, OTHER_NAME, CODE_FAILS_CHECK, NONE, BRANCH)
"""What waits for people. The rest is listed (institutions, foreign names) or counted: codes of others, persons, and
who may be one: names without a word of an organisation (`unclear`), texts too long for a name.
"""

_LISTED = (*REVIEWED, INSTITUTION, FOREIGN)
_OF_KIND = {FIRM: NONE, BRANCH: BRANCH, INSTITUTION: INSTITUTION, FOREIGN: FOREIGN}
_OF_KIND |= {one: one for one in (PERSON, UNCLEAR, TOO_LONG)}
_LONGEST_PLACES = 12  # 江苏省常州市武进区…: where in a registered name its core may begin

Decided = Mapping[tuple[str, str], str | None]
"""What people have decided about one dataset: (code, name) in their one spelling to an enterprise, or to nobody."""


def subject(code: str | None, name: str | None) -> tuple[str, str]:
    """By what a decision is found again: the identifiers in their one spelling."""
    return normal_code(code or ""), normal_name(name or "")


def subjects(entity: Entity, sent: Callable[[str], str | None]) -> Iterator[tuple[str, str]]:
    """By what decisions about a record are found, in each of its roles and names; `sent`: the text of a column."""
    for column in filter(None, (entity.names, entity.filed_by)):
        yield from (subject(None, name) for name in split(sent(column) or ""))
    if not entity.names:
        for party in entity.roles.values() or [entity]:
            code = next(filter(None, map(sent, party.codes)), None)
            yield from _asked_by(code, sent(party.name) if party.name else None)


def settled(links: Links, codes: pa.Array, names: pa.Array, decided: Decided, register: Register) -> Links:
    """The links, and where there are none or doubtful ones what people have decided. A decision never undoes a link
    that nothing speaks against.
    """
    uscc, tier = links
    if not decided:
        return links
    tier = tier.cast(pa.string())
    open_ = pc.and_(_left_open(links), pc.is_in(tier, value_set=pa.array(REVIEWED)))
    written = list(zip(codes.filter(open_).to_pylist(), names.filter(open_).to_pylist(), strict=True))
    answers = {one: decided[at] for one in set(written) for at in _asked_by(*one) if at in decided}
    linked = uscc.filter(open_).to_pylist()
    whose = pa.array([answers.get(one, at) for one, at in zip(written, linked, strict=True)], pa.string())
    why = [None if one not in answers else DECIDED if answers[one] else DECIDED_NOBODY for one in written]
    registered = register.linked_here(whose, pa.array(why, pa.string()))
    return (
        pc.replace_with_mask(uscc, open_, registered[0]),
        pc.replace_with_mask(tier, open_, pc.coalesce(registered[1], tier.filter(open_))),
    )


def unresolved(dataset: str, links: Links, codes: pa.Array, names: pa.Array, register: Register) -> pa.Table:
    """The records without a link, or with one in doubt (`UNRESOLVED`): one row per tier and spelling, most rows first.
    Nobody is named who may be a person, and one beside a code (who signed, who was asked) puts no link in doubt.
    """
    tier, open_ = links[1], _left_open(links)
    if not pc.any(open_, min_count=0).as_py():
        return UNRESOLVED.empty_table()
    parts = {"tier": tier, "code": codes, "name": names}
    told = pa.table({what: part.filter(open_).cast(pa.string()) for what, part in parts.items()})
    named = pc.is_in(told["tier"], value_set=pa.array(REVIEWED))
    told = pa.table(
        {"tier": told["tier"]} | {c: pc.if_else(named, told[c], pa.scalar(None, pa.string())) for c in ("code", "name")}
    )
    counts: Counter[tuple[str, str | None, str | None]] = Counter()
    found = told.group_by(["tier", "code", "name"], use_threads=False).aggregate([([], "count_all")]).to_pylist()
    called_so = _short_names([row["name"] for row in found if row["tier"] in (NONE, OTHER_NAME)], register)
    for row in found:
        why, code, name = row["tier"], row["code"], row["name"]
        if why == NONE:
            why = NONE if name in called_so else _OF_KIND[kind(name or "")]
        elif why == OTHER_NAME and name not in called_so and may_be_person(name):
            continue
        elif why == CODE_FAILS_CHECK:
            code, name = _shown(code, name)
        listed = why in _LISTED
        counts[why, (code or None) if listed else None, (name or None) if listed else None] += row["count_all"]
    ranked = sorted(counts, key=lambda one: (one[0], -counts[one], one[1] or "", one[2] or ""))
    whys, given, named_as = ([one[i] for one in ranked] for i in range(3))
    among = [";".join(found) or None for found in register.meant(given, named_as)]
    rows = [counts[one] for one in ranked]
    columns = [[dataset] * len(ranked), whys, given, named_as, among, rows]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, UNRESOLVED, strict=True)], UNRESOLVED)


def _asked_by(code: str | None, name: str | None) -> list[tuple[str, str]]:
    """By what a decision about a record may be found; the last that is found holds."""
    return list(dict.fromkeys([subject(*_shown(code, name)), subject(code, name)]))


def _shown(code: str | None, name: str | None) -> tuple[str, str]:
    """How a code that fails its check is shown and decided about: without a name beside it that may be a person's."""
    return code or "", "" if code and may_be_person(name or "") else name or ""


def _short_names(names: Sequence[str | None], register: Register) -> set[str | None]:
    """Those without a word of an organisation by which somebody registered is called: 恒创, of 常州恒创液压有限公司."""
    stems: dict[str, list[str]] = defaultdict(list)
    for name in set(filter(None, names)):
        if kind(name) == UNCLEAR and len(stem := parts(name).stem) > 1:
            stems[stem].append(name)
    found: set[str | None] = set()
    for length in sorted(set(map(len, stems))):
        asked = pa.array([stem for stem in stems if len(stem) == length])
        for start in range(_LONGEST_PLACES):
            pieces = pc.utf8_slice_codeunits(register.names, start, start + length)
            for held in register.names.filter(pc.is_in(pieces, value_set=asked)).to_pylist():
                begins = parts(held).stem[:length]
                found |= set(stems.get(begins, ()))
    return found


def _left_open(links: Links) -> pa.Array:
    """Which records are linked to nobody, or by a code beside a name that its enterprise never carried."""
    uscc, tier = links[0], links[1].dictionary_encode()
    return pc.or_(uscc.is_null(), pc.equal(tier.dictionary, OTHER_NAME).take(tier.indices))


def number_of(table: pa.Table, *tiers: str) -> int:
    """How many records of these tiers, of all without an argument."""
    chosen = table.filter(pc.is_in(table["tier"], value_set=pa.array(tiers, pa.string()))) if tiers else table
    return pc.sum(chosen["rows"]).as_py() or 0
