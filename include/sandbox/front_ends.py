"""Which department keeps which front-end database, in its own dialect."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from include.sandbox.database import Base, FrontEnd, plain

_RETURN_HEADER = (
    "SBUUID", "NSRSBH", "SHXYDM", "NSRMC", "SKSSQQ", "SKSSQZ", "ZFBZ_1", "GZCS", "SBRQ", "GLQH_DM", "RKSJ",
)  # fmt: skip
_RETURN_ROW = ("SBUUID", "BDDM", "BBH", "EWBHXH", "HMC", "JE")
_VIEW_OF_RETURNS = (
    "SBUUID", "NSRSBH", "SHXYDM", "NSRMC", "SKSSQQ", "SKSSQZ", "BDDM", "BBH", "EWBHXH", "HMC", "JE", "ZFBZ_1", "GZCS",
    "SBRQ", "GLQH_DM", "RKSJ",
)  # fmt: skip
_BY_AREA = ("GLQH_DM", "RKSJ")


def _tax_tables(tables: dict[str, pa.Table]) -> list[Base]:
    """The tax bureau's own tables: filings apart from their form rows, the rest as it stands."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("records", tables["TAX_CIT"])
        header = connection.sql(
            f"SELECT DISTINCT {', '.join(_RETURN_HEADER)} FROM records ORDER BY RKSJ, SBUUID, SHXYDM NULLS FIRST"
        ).to_arrow_table()
        rows = connection.sql(
            f"SELECT {', '.join(_RETURN_ROW)} FROM records ORDER BY RKSJ, SBUUID, BDDM, try_cast(EWBHXH AS integer), JE"
        ).to_arrow_table()
    return [
        Base("SB_SBB", header, "", _BY_AREA),
        Base("SB_QYSDS_MX", rows, "", ("SBUUID",)),
        plain("SB_ZZS", tables["TAX_VAT"], "SBUUID", "V_SB_ZZS", _BY_AREA),
        plain("ZS_JKXX", tables["TAX_PAY"], "PZXH", "V_ZS_JKXX", _BY_AREA),
        plain("CWBB", tables["TAX_FIN"], "CWBBUUID", "V_CWBB", _BY_AREA),
    ]


def _returns(prefix: str) -> dict[str, str]:
    columns = ", ".join(f'{"r" if n in _RETURN_ROW[1:] else "f"}."{n}" AS "{n}"' for n in _VIEW_OF_RETURNS)
    select = f'SELECT {columns} FROM {prefix}"SB_SBB" f JOIN {prefix}"SB_QYSDS_MX" r ON r."SBUUID" = f."SBUUID"'
    return {"V_SB_QYSDS": select}


def _redemptions(tables: dict[str, pa.Table]) -> list[Base]:
    """The redemption platform's journal, opened as it stands."""
    return [plain("ZCDX_LS", tables["POL_CASH"], "LSH", "V_ZCDX_LS", ("QHDM", "RKSJ"))]


# By the Connection that leads there.
FRONT_ENDS = {
    "innopoints_tax_database": FrontEnd("front_end", "RKSJ", _tax_tables, _returns),
    "innopoints_policy_platform": FrontEnd("policy_platform", "RKSJ", _redemptions),
}
