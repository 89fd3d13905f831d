"""How the fields that a department sends differ from those agreed, told in one message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from include.contracts.model import Contract


@dataclass(frozen=True)
class FieldDifference:
    """Native names. `renamed` holds guesses: a missing name and an unknown one that stands in its place."""

    missing: list[str]
    added: list[str]
    renamed: list[tuple[str, str]]
    reordered: bool

    def __bool__(self) -> bool:
        return bool(self.missing or self.added or self.reordered)

    def __str__(self) -> str:
        parts = [f"fields are missing: {listed(self.missing)}"] if self.missing else []
        if self.added:
            parts.append(f"unregistered fields came: {listed(self.added)}")
        if self.renamed:
            parts.append("perhaps renamed: " + ", ".join(f"{old} -> {new}" for old, new in self.renamed))
        if self.reordered:
            parts.append("known fields came in another order than last time (taken by name)")
        return "; ".join(parts)


def field_difference(
    contract: Contract, came: Sequence[str], last: Sequence[str] = (), missing: Sequence[str] | None = None
) -> FieldDifference:
    """What differs between the names that `came`, in their order, and the contract; `last` is the order of the last
    accepted delivery, empty if unknown. `missing` narrows what counts as missing (a single record may leave out an
    optional field); without it, every registered name must be there.
    """
    registered = [column.native for column in contract.columns.values()]
    known = {*registered, *contract.ignore}
    gone = sorted(set(registered) - set(came)) if missing is None else sorted(missing)
    added = sorted(set(came) - known)
    expected = list(last) or registered
    renamed = []
    for kind, a, b, c, d in SequenceMatcher(None, expected, list(came), autojunk=False).get_opcodes():
        if kind == "replace" and b - a == d - c:
            pairs = zip(expected[a:b], came[c:d], strict=True)
            renamed += [(old, new) for old, new in pairs if old in gone and new in added]
    common = [name for name in came if name in known and name in last]
    reordered = common != [name for name in last if name in common]
    return FieldDifference(gone, added, renamed, reordered)


def listed(names: Iterable[str]) -> str:
    """Names of fields as they may stand in one line: the first ten, none longer than 40 characters."""
    ordered = sorted(names)
    more = f" and {len(ordered) - 10} more" if len(ordered) > 10 else ""
    return ", ".join(name[:40] for name in ordered[:10]) + more
