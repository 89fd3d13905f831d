"""What is true of credit, equity and penalties on a day, per enterprise: only records that count and had arrived."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa

AMOUNTS = ("science_loan_balance_yuan", "venture_capital_3y_yuan")
COUNTS = ("fund_shareholders", "listing_step", "penalty_count", "abnormal_count", "credit_grade", "vetoed")

_BANKS = """
SELECT _firm, sum("贷款余额"::decimal(18, 2) * 10000) FROM FIN_LOAN AS l
WHERE _fate = '' AND _arrival < $cutoff AND "产品" IN ('科创积分贷', '创新贷', '苏科贷', '知识产权质押贷')
  AND "报送日期" = (SELECT max(b."报送日期") FROM FIN_LOAN AS b WHERE b."银行" = l."银行" AND b._arrival < $cutoff)
GROUP BY _firm
"""
# The last state of each record, unless that is withdrawn; `years_ago(3)` is the same day three years before.
_LAST = """
SELECT * FROM (
  SELECT * FROM {table} WHERE _fate = '' AND _arrival < $cutoff
  QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _arrival DESC) = 1
) WHERE ZT = '有效'
"""
_EQUITY = {
    "venture_capital_3y_yuan": """
        SELECT _firm, sum(SJJE::decimal(18, 2) * 10000) FROM equity
        WHERE JLLX = '实缴出资' AND TZFLX IN ('私募基金', '国有引导基金', '产业资本') AND SFGLF = '否'
          AND FSRQ > $three_years_ago GROUP BY _firm""",
    "fund_shareholders": """
        SELECT _firm, count(DISTINCT JJBABM) FROM equity
        WHERE JLLX = '基金持股' AND (ZZRQ = '' OR ZZRQ > $today) GROUP BY _firm""",
    "listing_step": """
        SELECT _firm, max(list_position(['股份制改造', '市级上市后备', '辅导备案', '境内外上市'],
                                        replace(SSJC, '新三板挂牌', '辅导备案'))) FROM equity
        WHERE JLLX = '上市进程' AND (ZZRQ = '' OR ZZRQ > $today) GROUP BY _firm""",
}
_RISK = {
    "penalty_count": """
        SELECT _firm, sum(CASE CFCD WHEN '一般' THEN 1 ELSE 3 END) FROM risk
        WHERE JLLX = '行政处罚' AND CFLY IN ('安全生产', '生态环境') AND JDRQ > $three_years_ago GROUP BY _firm""",
    "abnormal_count": """
        SELECT _firm,
          sum(CASE WHEN YCRQ = '' OR YCRQ > $today THEN 1.0 WHEN YCRQ > $three_years_ago THEN 0.5 ELSE 0 END)
        FROM risk WHERE JLLX = '经营异常' GROUP BY _firm""",
    "credit_grade": """
        SELECT _firm, list_position(['差', '中', '良', '优'], arg_max(PJDJ, PJND)) - 1 FROM risk
        WHERE JLLX = '公共信用评价' GROUP BY _firm""",
    "vetoed": """
        SELECT _firm, 1 FROM risk
        WHERE (JLLX = '行政处罚' AND CFLY IN ('安全生产', '生态环境') AND CFCD = '重大' AND JDRQ > $three_years_ago)
           OR (JLLX IN ('严重违法失信', '科研失信') AND (YCRQ = '' OR YCRQ > $today)) GROUP BY _firm""",
}


def finance_and_risk(moment: np.datetime64, tables: dict[str, pa.Table]) -> dict[str, dict[int, Decimal]]:
    """Per figure: enterprise → number; who is not in it has none of it (a grade: was never graded)."""
    today = str(moment)
    given = {
        "cutoff": int(moment.astype("datetime64[s]").astype(np.int64)),
        "today": today,
        "three_years_ago": f"{int(today[:4]) - 3}{today[4:]}",
    }
    with duckdb.connect(config={"threads": 1}) as connection:
        for dataset in ("FIN_LOAN", "FIN_EQ", "REG_RISK"):
            connection.register(dataset, tables[dataset])

        def ask(query: str) -> dict[int, Decimal]:
            used = {name: value for name, value in given.items() if f"${name}" in query}
            return {firm: Decimal(str(value)) for firm, value in connection.execute(query, used).fetchall()}

        found = {"science_loan_balance_yuan": ask(_BANKS)}
        for name, table, key, queries in (
            ("equity", "FIN_EQ", "JLBH", _EQUITY),
            ("risk", "REG_RISK", "WSH", _RISK),
        ):
            last = f"WITH {name} AS ({_LAST.format(table=table, key=key)})"
            found |= {figure: ask(f"{last} {query}") for figure, query in queries.items()}
        return found
