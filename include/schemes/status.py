"""Why a line has a value or none: absence is typed, never one NULL for all."""

from __future__ import annotations

VALUE = "value"
"""Computed; a true zero is a value."""
NOT_APPLICABLE = "not_applicable"
"""The scheme's rule says that the indicator does not concern this enterprise."""
NOT_HELD = "not_held"
"""No department's record to compute it from."""
IN_QUARANTINE = "in_quarantine"
"""Records exist, but validation holds them back."""

STATUSES = (VALUE, NOT_APPLICABLE, NOT_HELD, IN_QUARANTINE)

VALUE_DECIMALS = 6
"""Values travel with six places, whatever fewer the indicator declares."""
