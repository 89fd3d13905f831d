"""A row that a person lets pass: by which name it is known, and which checks may be waived for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from include.contracts import Contract

WAIVED = "row.waived"
_LOOKS_WRONG = ("between", "at_most", "pattern", "check_digit", "legible", "unique")
"""Rules that hold back what can be read and only looks wrong, or that of several rows none can be told to be right.
Nobody can waive that a cell is unreadable, a key missing, a code unknown (that is the contract's to say) or a record
later than the night.
"""

Waived = Mapping[str, Collection[str]]
"""Row → ids of the checks that do not hold it back."""


def row_id(contract: Contract, landed: Mapping[str, Any]) -> str:
    """SHA-256 of what the department wrote in the row's registered fields: the same on whatever night or page it comes,
    another as soon as one character differs or the contract reads other fields.
    """
    written = [landed[column.native] for column in contract.columns.values()]
    return hashlib.sha256(json.dumps([contract.dataset, *written], ensure_ascii=False).encode()).hexdigest()


def not_waivable(reasons: Collection[str]) -> list[str]:
    """Those of a quarantined row's reasons that keep it out whatever a person says."""
    return [reason for reason in reasons if reason.rpartition(".")[2] not in _LOOKS_WRONG]
