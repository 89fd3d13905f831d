"""What each enterprise truly holds by the registers and lists on a day.

Reckoned from the world's own numbers of enterprises, not from names or codes, and from the records that count
(`_fate` is empty).
"""

from __future__ import annotations

from decimal import Decimal

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
# In hundredths. Of each contract the last row, of each project one line per unit, of each policy what stayed paid.
_TURNOVER = f"""
WITH held AS ({_STATE.format(table="contracts", key="HTDJBH")})
SELECT _seller, sum(_cents) FROM held
WHERE ZT <> '撤销' AND _seller >= 0 AND left(DJRQ, 4)::int = year(getvariable('day')::date) - {{years_ago}}
GROUP BY _seller
"""
_PROVINCIAL_PROJECTS = f"""
WITH held AS ({_STATE.format(table="projects", key="_firm, 项目编号")})
SELECT _firm, sum(CASE 承担角色 WHEN '牵头' THEN 100 ELSE 50 END) FROM held
WHERE 级别 IN ('国家', '省') AND 立项日期::date <= getvariable('day')::date
  AND 立项日期::date > getvariable('day')::date - INTERVAL 2 YEAR
GROUP BY _firm
"""
_POLICY_FUNDS = """
WITH held AS (
  SELECT _firm, ZCBH, ZT, RQ::date AS happened, _cents FROM redemptions
  WHERE _fate = '' AND _arrival < getvariable('cutoff') AND ZCDL NOT IN ('稳岗就业', '商贸外贸')
),
paid AS (
  SELECT _firm, ZCBH, sum(_cents) AS cents, min(happened) AS since FROM held
  WHERE ZT = '已拨付' AND happened > getvariable('day')::date - INTERVAL 1 YEAR GROUP BY ALL
),
returned AS (
  SELECT p._firm, p.ZCBH, sum(h._cents) AS cents FROM paid p
  JOIN held h ON h._firm = p._firm AND h.ZCBH = p.ZCBH AND h.ZT = '已退回' AND h.happened >= p.since GROUP BY ALL
)
SELECT p._firm, sum(greatest(p.cents - coalesce(r.cents, 0), 0)) FROM paid p
LEFT JOIN returned r ON r._firm = p._firm AND r.ZCBH = p.ZCBH GROUP BY p._firm
"""

_LINE = """
SELECT * FROM {table} WHERE _fate = '' AND _arrival < getvariable('cutoff')
QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY 公布日期 DESC) = 1
"""
_PLATFORM_LEVEL = f"""
WITH standing AS ({_LINE.format(table="platforms", key="平台编号")})
SELECT _firm, max(CASE 平台级别 WHEN '国家级' THEN 4 WHEN '省级' THEN 3 WHEN '市级' THEN 2 WHEN '区级' THEN 1 END)
FROM standing
WHERE 状态 = '有效' AND 批准日期 <= getvariable('day') AND (有效期至 = '' OR 有效期至 >= getvariable('day'))
GROUP BY _firm
"""
_TENANCY_LEVEL = f"""
WITH standing AS ({_LINE.format(table="tenants", key="备案编号")})
SELECT _firm, max(CASE
  WHEN 载体类型 = '众创空间' THEN 1 WHEN 载体类型 NOT IN ('孵化器', '加速器') THEN 0
  ELSE CASE 载体级别 WHEN '国家级' THEN 4 WHEN '省级' THEN 3 WHEN '市级' THEN 2 ELSE 1 END
END)
FROM standing
WHERE 关系 = '入驻' AND 状态 = '有效' AND 起始日期 <= getvariable('day')
  AND CASE WHEN 毕业日期 <> '' AND 毕业日期 <= getvariable('day')
      THEN 毕业日期 > getvariable('three_years_ago') ELSE 截止日期 >= getvariable('day') END
GROUP BY _firm
"""
_LADDER_LEVEL = f"""
WITH standing AS ({_LINE.format(table="recognitions", key="证书编号")})
SELECT _firm, max(CASE 认定类型
  WHEN '制造业单项冠军企业' THEN 4 WHEN '专精特新小巨人企业' THEN 3 WHEN '专精特新中小企业' THEN 2
  WHEN '创新型中小企业' THEN 1 ELSE 0 END)
FROM standing
WHERE 状态 = '有效'
  AND CASE WHEN 有效期至 = '' THEN 认定日期 > getvariable('three_years_ago') ELSE 有效期至 >= getvariable('day') END
GROUP BY _firm
"""
_PROVINCIAL_TALENTS = f"""
WITH standing AS ({_LINE.format(table="talents", key="证书编号")}),
person AS (
  SELECT _firm, 姓名, max(CASE 人才类别 WHEN '国家级人才计划' THEN 2 ELSE 1 END) AS heads FROM standing
  WHERE 状态 = '有效' AND 在职状态 = '在职参保' AND 有效期至 >= getvariable('day')
    AND 人才类别 IN ('国家级人才计划', '省级人才计划')
  GROUP BY _firm, 姓名
)
SELECT _firm, sum(heads)::INT FROM person GROUP BY _firm
"""
_TABLES = {
    "rights": "IP_OTHER",
    "certificates": "STD_CERT",
    "platforms": "ST_PLAT",
    "tenants": "ST_INCUB",
    "recognitions": "MIIT_QUAL",
    "talents": "HR_TALENT",
    "contracts": "ST_CONTRACT",
    "projects": "ST_PROJ",
    "redemptions": "POL_CASH",
}
_QUERIES = {
    "management_systems_certified": _MANAGEMENT_SYSTEMS,
    "highest_platform_level": _PLATFORM_LEVEL,
    "incubator_tenancy_level": _TENANCY_LEVEL,
    "sme_ladder_level": _LADDER_LEVEL,
    "provincial_talents": _PROVINCIAL_TALENTS,
}
_IN_HUNDREDTHS = {
    "technology_contract_turnover_yuan": _TURNOVER.format(years_ago=1),
    "technology_contract_turnover_yuan_prior1": _TURNOVER.format(years_ago=2),
    "provincial_projects": _PROVINCIAL_PROJECTS,
    "policy_funds_yuan": _POLICY_FUNDS,
}


def holdings(moment: np.datetime64, firms: Firms, patents: Patents, tables: dict[str, pa.Table]) -> dict[str, pa.Array]:
    """Name of the column → a number per enterprise of the world."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"SET VARIABLE cutoff = {int(moment.astype('datetime64[s]').astype(np.int64))}")
        connection.execute(f"SET VARIABLE day = '{moment}'")
        connection.execute(f"SET VARIABLE three_years_ago = '{int(str(moment)[:4]) - 3}{str(moment)[4:]}'")
        for name, dataset in _TABLES.items():
            connection.register(name, tables[dataset])
        counted = {name: dict(connection.execute(query).fetchall()) for name, query in _QUERIES.items()}
        exact = {name: dict(connection.execute(query).fetchall()) for name, query in _IN_HUNDREDTHS.items()}
        software = dict(connection.execute(_SOFTWARE).fetchall())
    found = {name: _per_firm(firms, values) for name, values in counted.items()}
    found["class2_ip"] = _registered_patents(moment, firms, patents, tables) + _per_firm(firms, software)
    whole = {name: pa.array(values) for name, values in found.items()}
    return whole | {name: _hundredths(firms, values) for name, values in exact.items()}


def _hundredths(firms: Firms, values: dict[int, int]) -> pa.Array:
    cells = [Decimal(values.get(firm, 0)).scaleb(-2) for firm in range(firms.count)]
    return pa.array(cells, pa.decimal128(24, 2))


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
