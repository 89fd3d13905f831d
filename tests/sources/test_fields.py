"""Fields that come and go: told in one message, and stopped where the contract says so."""

import pytest

from include.contracts import Contract, require_contract
from include.contracts.fields import field_difference
from include.kernel.errors import TerminalError
from include.sources.reply import Fields

VAT = require_contract("TAX_VAT")
NATIVES = [column.native for column in VAT.columns.values()]


def test_the_same_fields_in_the_same_order_are_no_difference() -> None:
    assert not field_difference(VAT, NATIVES, NATIVES)


def test_a_renamed_field_is_guessed_by_its_place() -> None:
    came = ["XSE_BZ" if name == "XSE" else name for name in NATIVES]
    found = field_difference(VAT, came, NATIVES)
    assert (found.missing, found.added, found.renamed, found.reordered) == (
        ["XSE"],
        ["XSE_BZ"],
        [("XSE", "XSE_BZ")],
        False,
    )


def test_a_removed_and_an_added_field_elsewhere_are_not_called_renamed() -> None:
    found = field_difference(VAT, [*(name for name in NATIVES if name != "XSE"), "LXDH"], NATIVES)
    assert (found.missing, found.added, found.renamed) == (["XSE"], ["LXDH"], [])


def test_order_is_held_against_the_last_delivery_and_not_against_the_contract() -> None:
    turned = list(reversed(NATIVES))
    assert field_difference(VAT, turned, NATIVES).reordered
    assert not field_difference(VAT, turned, turned)
    assert not field_difference(VAT, turned).reordered


def test_a_frozen_contract_takes_no_field_that_nobody_registered() -> None:
    frozen = Contract.model_validate(VAT.model_dump() | {"drift": VAT.drift.model_dump() | {"columns": "freeze"}})
    Fields(frozen).account(NATIVES, "here")
    with pytest.raises(TerminalError, match="here: the contract is broken, unregistered fields came: LXDH"):
        Fields(frozen).account([*NATIVES, "LXDH"], "here")
    Fields(VAT).account([*NATIVES, "LXDH"], "here")
