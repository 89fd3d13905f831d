"""Dataset contracts: what a department promises to deliver, one YAML per dataset, and what everything derives from it.

One declaration gives the Parquet schemas, the Great Expectations suite, the conforming rules and the data dictionary.
"""

from include.contracts.model import (
    Column,
    Contract,
    Drift,
    Entity,
    Versions,
    contracts,
    load_contract,
    require_contract,
)

__all__ = [
    "Column",
    "Contract",
    "Drift",
    "Entity",
    "Versions",
    "contracts",
    "load_contract",
    "require_contract",
]
