"""The small references that travel between tasks (and through XCom): keys and counts, never data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True, order=True)
class SnapshotKey:
    """One dataset, for one scope (an area code or `city`), as of one business date."""

    dataset: str
    scope: str
    as_of: date

    def __str__(self) -> str:
        return f"{self.dataset}/{self.scope}/{self.as_of.isoformat()}"

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict for XCom."""
        return asdict(self) | {"as_of": self.as_of.isoformat()}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> SnapshotKey:
        """Inverse of `to_json`."""
        return cls(raw["dataset"], raw["scope"], date.fromisoformat(raw["as_of"]))


@dataclass(frozen=True, order=True)
class ResultKey:
    """The points of one district as of one business date under one scheme."""

    as_of: date
    district: str
    scheme: str

    def __str__(self) -> str:
        return f"{self.scheme}/{self.district}/{self.as_of.isoformat()}"

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict for XCom."""
        return asdict(self) | {"as_of": self.as_of.isoformat()}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> ResultKey:
        """Inverse of `to_json`."""
        return cls(date.fromisoformat(raw["as_of"]), raw["district"], raw["scheme"])
