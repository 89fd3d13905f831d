"""What each enterprise truly holds by the registers and lists on a day.

Reckoned from the world's own numbers of enterprises, not from names or codes, and from the records that count
(`_fate` is empty).
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms
from include.sandbox.patents import DESIGN, UTILITY, Patents

# Of each record the state entered last before the day.
_STATE = """
SELECT * FROM {table} WHERE _fate = '' AND _arrival < getvariable('cutoff')
QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _arrival DESC) = 1
"""
_SOFTWARE = f"""
WITH held AS ({_STATE.format(table="rights", key="RecordNumber")}),
valid AS (SELECT _owner, _partner FROM held WHERE StatusDesc = '有效' AND KindDesc = '计算机软件著作权')
SELECT firm, count(*) FROM (
  SELECT _owner AS firm FROM valid UNION ALL SELECT _partner FROM valid WHERE _partner >= 0
) GROUP BY firm
"""
_MANAGEMENT_SYSTEMS = f"""
WITH held AS ({_STATE.format(table="certificates", key="recordno")})
SELECT _firm, count(DISTINCT certkind) FROM held
WHERE recstate = '有效' AND recto >= getvariable('day') AND recdate <= getvariable('day')
  AND certkind <> '知识产权合规管理体系'
GROUP BY _firm
"""


def holdings(moment: np.datetime64, firms: Firms, patents: Patents, tables: dict[str, pa.Table]) -> dict[str, pa.Array]:
    """Name of the column → a whole number per enterprise of the world."""
    software, systems = _counted(moment, tables, _SOFTWARE), _counted(moment, tables, _MANAGEMENT_SYSTEMS)
    found = {
        "class2_ip": _registered_patents(moment, firms, patents, tables) + _per_firm(firms, software),
        "management_systems_certified": _per_firm(firms, systems),
    }
    return {name: pa.array(values) for name, values in found.items()}


def _counted(moment: np.datetime64, tables: dict[str, pa.Table], query: str) -> dict[int, int]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"SET VARIABLE cutoff = {int(moment.astype('datetime64[s]').astype(np.int64))}")
        connection.execute(f"SET VARIABLE day = '{moment}'")
        for name, dataset in (("rights", "IP_OTHER"), ("certificates", "STD_CERT")):
            connection.register(name, tables[dataset])
        return dict(connection.execute(query).fetchall())


def _per_firm(firms: Firms, values: dict[int, int]) -> np.ndarray:
    held: np.ndarray = np.zeros(firms.count, dtype=np.int64)
    for firm, value in values.items():
        held[firm] = value
    return held


def _registered_patents(
    moment: np.datetime64, firms: Firms, patents: Patents, tables: dict[str, pa.Table]
) -> np.ndarray:
    """Whole utility models and designs, without the applications whose records are spoilt."""
    application, owner, _ = patents.valid_shares(moment, (UTILITY, DESIGN))
    table = tables["IP_PAT"]
    spoilt = table.filter(pa.compute.equal(table["_fate"], "quarantined"))["_patent"].to_numpy()
    return np.bincount(owner[~np.isin(application, spoilt)], minlength=firms.count)
