"""A record that is shown reads as it landed, by the same reading that validation gave it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from include.contracts import contracts
from include.kernel.errors import TerminalError
from include.steps.explain import _hold_landed, _read_again

EQUITY = contracts()["FIN_EQ"]


def paid_in(amount: str, unit: str) -> dict[str, str | None]:
    """An equity record as the finance office wrote it: the amount, and the unit that its row says ('' = 万元)."""
    nothing: dict[str, str | None] = {column.native: None for column in EQUITY.columns.values()}
    return {**nothing, "SJJE": amount, "JEDW": unit}


@pytest.mark.parametrize(
    ("amount", "unit", "yuan"),
    [
        ("150", "", "1500000.00"),
        ("150", "万元", "1500000.00"),
        ("1500000", "元", "1500000.00"),
    ],
)
def test_an_amount_is_read_again_in_the_unit_that_its_row_says(amount: str, unit: str, yuan: str) -> None:
    accepted: dict[str, Any] = dict.fromkeys(EQUITY.columns)
    accepted |= {"paid_in_yuan": Decimal(yuan), "amount_unit": unit or None}
    read, other = _read_again(EQUITY, [paid_in(amount, unit), paid_in(amount + "1", unit)])
    _hold_landed(EQUITY, read, accepted, {})
    with pytest.raises(TerminalError, match="paid_in_yuan read again from the landed text differs"):
        _hold_landed(EQUITY, other, accepted, {})
