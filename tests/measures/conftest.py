"""Tiny conformed tables written by hand; fields that a case does not mention are null."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from include.conformed.enterprises import ENTERPRISES
from include.contracts import contracts
from include.measures.run import measure

Rows = list[dict[str, Any]]
Measured = Callable[..., dict[str, dict[str, Any]]]

AS_OF = date(2026, 11, 23)  # closed year 2025
FIRM = {"name": "常州甲科技有限公司", "established_on": date(2015, 3, 1), "industry_code": "3562"}


def conformed(tables: Mapping[str, Rows]) -> dict[str, pa.Table]:
    """Every dataset as delivered, with the given rows; firms A and B unless `enterprises` names others."""
    schemas = {dataset.lower(): contract.conformed_schema() for dataset, contract in contracts().items()}
    schemas["enterprises"] = ENTERPRISES
    rows: dict[str, Rows] = {"enterprises": [FIRM | {"uscc": "A"}, FIRM | {"uscc": "B", "name": "常州乙有限公司"}]}
    rows |= tables
    return {
        name: pa.Table.from_pylist(
            [
                {field: _exact(row.get(field), schema.field(field).type) for field in schema.names}
                for row in rows.get(name, [])
            ],
            schema=schema,
        )
        for name, schema in schemas.items()
    }


def _exact(value: Any, kind: pa.DataType) -> Any:
    return Decimal(str(value)) if value is not None and pa.types.is_decimal(kind) else value


@pytest.fixture(scope="session")
def measured() -> Measured:
    """Measure the given rows: uscc -> measure -> number."""

    def run(as_of: date = AS_OF, **tables: Rows) -> dict[str, dict[str, Any]]:
        return {row["uscc"]: row for row in measure(conformed(tables), as_of).to_pylist()}

    return run
