"""A small publication whose figures are made so that every rule of the audit holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from include.publish.tables import category_points

Tables = dict[str, pa.Table]
CATEGORIES = ("foundation", "input", "management", "output", "environment")
STAGES = ("初创期", "成长期", "发展期", "成熟期")
DISTRICTS = ("320411", "320412")
POINTS_TYPES = {
    **dict.fromkeys(("uscc", "stage"), pa.string()),
    **dict.fromkeys(("rank_all", "rank_stage", "rank_district"), pa.int64()),
    **dict.fromkeys(("coverage", "percentile_stage"), pa.decimal128(7, 6)),
}


def make_tables(enterprises: int = 12, *, indicators: int = 10, shift: int = 0) -> Tables:
    """Points are whole thousandths, so that what is summed here on paper is exact; `shift` makes other content."""
    profile, points, ledger = [], [], []
    for i in range(enterprises):
        uscc = f"91320400MA{i:08d}"
        stage, district = STAGES[i % 4], DISTRICTS[i % 2]
        profile.append(
            {
                "uscc": uscc,
                "name": f"常州第{i}科技有限公司",
                "district": district,
                "industry_code": "3921" if i % 3 else None,
                "established_on": date(2015, 1, 1 + i % 28),
                "stage": stage,
                "stage_reason": 'founded 2015, "revenue"\n5,000',
            }
        )
        sums: Counter[str] = Counter()
        for j in range(indicators):
            category, milli = CATEGORIES[j % 5], (i * 37 + j * 11 + shift) % 997
            sums[category] += milli
            ledger.append(
                {
                    "uscc": uscc,
                    "indicator": f"IND-{j:03d}",
                    "category": category,
                    "value": Decimal(i * 1000 + j) / 1000000 if j else None,
                    "status": "value" if j else "not_held",
                    "segment": j % 3 if j else None,
                    "raw_points": Decimal(milli) / 1000,
                    "weight": Decimal("1"),
                    "points": Decimal(milli) / 1000,
                }
            )
        total = Decimal(sum(sums.values())) / 1000
        points.append(
            {
                "uscc": uscc,
                "stage": stage,
                "total": total,
                **{category: Decimal(sums[category]) / 1000 for category in CATEGORIES},
                "coverage": Decimal("0.9"),
                "total_low": total,
                "total_high": total + 5,
                "percentile_stage": None,
                "district": district,
            }
        )
    for row in points:
        for scope in ("all", "stage", "district"):
            peers = [p for p in points if scope == "all" or p[scope] == row[scope]]
            row[f"rank_{scope}"] = 1 + sum(p["total"] > row["total"] for p in peers)
    for row in points:
        del row["district"]
    counted = Counter((row["district"], row["stage"]) for row in profile)
    first = profile[0]["uscc"]
    exact = {
        "value": pa.decimal128(24, 6),
        "raw_points": pa.decimal128(9, 3),
        "weight": pa.decimal128(9, 3),
        "points": pa.decimal128(9, 3),
        "segment": pa.int32(),
    }
    ledger_schema = pa.schema([pa.field(name, exact.get(name, pa.string())) for name in ledger[0]])
    points_schema = pa.schema([pa.field(name, POINTS_TYPES.get(name, pa.decimal128(9, 3))) for name in points[0]])
    quality = {
        "dataset": "TAX_CIT",
        "scope": "320411",
        "as_of": date(2026, 11, 23),
        "rows_in": 10,
        "duplicates": 1,
        "accepted": 8,
        "quarantined": 1,
        "accepted_share": Decimal("0.800000"),
        "snapshot_age_days": 0,
        "verdict": "accepted",
    }
    shares = [
        {"district": d, "stage": s, "enterprises": n, "share": (Decimal(n) / enterprises).quantize(Decimal("0.000001"))}
        for (d, s), n in sorted(counted.items())
    ]
    return {
        "enterprise_profile": pa.Table.from_pylist(profile),
        "enterprise_points": pa.Table.from_pylist(points, points_schema),
        "category_points": category_points(pa.Table.from_pylist(points, points_schema), CATEGORIES),
        "points_ledger": pa.Table.from_pylist(ledger, ledger_schema),
        "honours": pa.Table.from_pylist(
            [{"uscc": first, "honour": "标兵企业", "place": 1, "reason": "rank 1", "robust": True}]
        ),
        "project_recommendation": pa.Table.from_pylist(
            [{"uscc": first, "programme": "省级研发机构", "place": 1, "reason": None}],
            pa.schema(
                [("uscc", pa.string()), ("programme", pa.string()), ("place", pa.int64()), ("reason", pa.string())]
            ),
        ),
        "credit_list": pa.Table.from_pylist(
            [
                {
                    "uscc": first,
                    "product": "龙城科易贷",
                    "entry_reason": "rank",
                    "suggested_limit_yuan": Decimal("3000000.00"),
                    "stage_percentile": Decimal("0.95"),
                }
            ]
        ),
        "ladder": pa.Table.from_pylist(
            [
                {
                    "uscc": first,
                    "rung": "高新技术企业",
                    "holds": False,
                    "eligible": False,
                    "failed_conditions": json.dumps(["研发费用占比 4.2%, 需 5%"], ensure_ascii=False),
                }
            ]
        ),
        "stage_distribution": pa.Table.from_pylist(shares),
        "source_quality": pa.Table.from_pylist([quality]),
        **_once_only(profile, ledger),
    }


def _once_only(profile: list[dict], ledger: list[dict]) -> Tables:
    """Every pair applies; the one without a value is a gap."""
    district = {row["uscc"]: row["district"] for row in profile}
    pairs = [(district[line["uscc"]], line["indicator"], line["status"] == "value") for line in ledger]
    share = Decimal("0.900000")

    def counted(key: str, place: int) -> pa.Table:
        kinds = sorted({pair[place] for pair in pairs})
        rows = [[pair[2] for pair in pairs if pair[place] == kind] for kind in kinds]
        columns = {key: kinds, "applicable_pairs": [len(row) for row in rows], "from_records_pairs": map(sum, rows)}
        of_kinds = pa.array([share] * len(kinds), pa.decimal128(7, 6))
        return pa.table(
            {name: pa.array(list(held)) for name, held in columns.items()}
            | {"share": of_kinds, "weighted_share": of_kinds}
        )

    gaps = [line for line in ledger if line["status"] != "value"]
    reasons = Counter((district[line["uscc"]], line["indicator"], line["status"]) for line in gaps)
    return {
        "once_only": counted("district", 0),
        "once_only_indicator": counted("indicator", 1),
        "once_only_gap": pa.Table.from_pylist(
            [
                {"uscc": g["uscc"], "indicator": g["indicator"], "reason": g["status"], "datasets": "TAX_CIT"}
                for g in gaps
            ]
        ),
        "once_only_reason": pa.Table.from_pylist(
            [{"district": d, "indicator": i, "reason": r, "pairs": n} for (d, i, r), n in sorted(reasons.items())]
        ),
        "fields_saved": pa.Table.from_pylist(
            [
                {
                    "district": "320411",
                    "form_from": date(2021, 4, 30),
                    "enterprises": 6,
                    "fields_asked": 60,
                    "fields_saved": 54,
                    "share": share,
                }
            ]
        ),
    }


@pytest.fixture(scope="session")
def tables_of() -> Callable[..., Tables]:
    """Makes the tables of a publication."""
    return make_tables
