"""Which faults are planted: as in life, or as a faults file says."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.kernel.documents import read_yaml
from include.kernel.errors import BadInput
from include.sandbox.dirt.kinds import KINDS

_KEYS = ("kind", "rate", "seed", "datasets")


@dataclass(frozen=True)
class Fault:
    """`rate` (0 to 1) of the records that can carry `kind`, drawn with `seed` (None: the world's), in `datasets`."""

    kind: str
    rate: float
    datasets: tuple[str, ...]
    seed: int | None = None


@dataclass(frozen=True)
class Faults:
    """`sparing`: no record of a snapshot with fewer than 200 is spoilt, so that every snapshot stays acceptable."""

    planted: tuple[Fault, ...]
    sparing: bool = False

    def to_json(self) -> list[Any]:
        """What tells two worlds of the same seed and size apart."""
        return [self.sparing, *([f.kind, f.rate, list(f.datasets), f.seed] for f in self.planted)]


def as_in_life(scale: float = 1.0) -> Faults:
    """Every kind at its usual rate times `scale`; 0 plants nothing."""
    planted = [Fault(kind.name, min(1.0, kind.rate * scale), kind.datasets) for kind in KINDS.values()]
    return Faults(tuple(fault for fault in planted if fault.rate > 0), sparing=True)


def read_faults(path: Path) -> Faults:
    """A faults file: `faults:`, a list of entries with kind, rate, and if wanted seed and datasets.

    >>> faults:
    >>>   - {kind: code_spelling, rate: 0.02, seed: 7, datasets: [TAX_VAT]}
    """
    raw = read_yaml(path, kept="the world that is there")
    if not isinstance(raw, dict):
        raise _refused(path, "faults", f"the file is {_shape(raw)}", "write `faults:` and below it a list of entries")
    for key in raw:
        _known(path, "key", key, ("faults",), "faults")
    entries = raw.get("faults")
    if not isinstance(entries, list) or not entries:
        raise _refused(path, "faults", f"found {_shape(entries)}", "write a list of entries")
    return Faults(tuple(_fault(path, f"faults[{at}]", entry) for at, entry in enumerate(entries)))


def _fault(path: Path, place: str, entry: Any) -> Fault:
    if not isinstance(entry, dict):
        raise _refused(path, place, f"found {_shape(entry)}", "write {kind: …, rate: …}")
    for key in entry:
        _known(path, "key", key, _KEYS, place)
    for key in ("kind", "rate"):
        if key not in entry:
            raise _refused(path, place, f"{key} is missing", "write {kind: …, rate: …}")
    kind = KINDS[_known(path, "kind", entry["kind"], tuple(KINDS), place)]
    rate = entry["rate"]
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise _refused(path, f"{place}.rate", f"found {rate!r:.40}", "write a number from 0 to 1")
    seed = entry.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63):
        raise _refused(path, f"{place}.seed", f"found {seed!r:.40}", "write a whole number, 0 or more")
    datasets = entry.get("datasets", list(kind.datasets))
    if not isinstance(datasets, list) or not datasets:
        raise _refused(path, f"{place}.datasets", f"found {_shape(datasets)}", "write a list of dataset codes")
    chosen = tuple(_known(path, f"dataset of {kind.name}", name, kind.datasets, place) for name in datasets)
    return Fault(kind.name, float(rate), tuple(dict.fromkeys(chosen)), seed)


def _known(path: Path, what: str, found: Any, allowed: tuple[str, ...], place: str) -> str:
    if isinstance(found, str) and found in allowed:
        return found
    near = difflib.get_close_matches(str(found), allowed, n=1, cutoff=0.4)
    meant = f"did you mean {near[0]}? " if near else ""
    shown = ", ".join(allowed) if len(allowed) <= 8 else "docs/reference/dirt.md lists them"
    raise _refused(path, place, f"unknown {what} {str(found)!r:.60}", f"{meant}known: {shown}")


def _refused(path: Path, place: str, what: str, todo: str) -> BadInput:
    return BadInput(what, where=f"{path}: {place}", kept="the world that is there", todo=todo)


def _shape(value: Any) -> str:
    return {list: "a list", dict: "a mapping", str: "text", type(None): "nothing"}.get(type(value), repr(value)[:40])
