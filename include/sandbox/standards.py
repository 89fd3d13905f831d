"""The market regulator beside the registry: management-system certificates, and who drafted which standard."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.sandbox.firms import Firms, industries
from include.sandbox.numbers import dates, integers, joined, moments, office_time, stream
from include.sandbox.records import name_on, table

_YEARS = np.arange(2014, 2028)
_NEVER = np.datetime64("NaT", "D")
_DAY = np.timedelta64(1, "D")
# management system, its standard, letter of its numbers, share of enterprises, what size adds
_SYSTEMS = (
    ("质量管理体系", "GB/T 19001-2016", "Q", 0.42, 0.18),
    ("环境管理体系", "GB/T 24001-2016", "E", 0.2, 0.14),
    ("职业健康安全管理体系", "GB/T 45001-2020", "S", 0.17, 0.13),
    ("信息安全管理体系", "GB/T 22080-2016", "IS", 0.03, 0.02),
    ("信息技术服务管理体系", "GB/T 24405.1-2009", "IT", 0.02, 0.01),
    ("能源管理体系", "GB/T 23331-2020", "EN", 0.01, 0.03),
    ("两化融合管理体系", "GB/T 23001-2017", "IIIMS", 0.03, 0.03),
    ("知识产权合规管理体系", "GB/T 29490-2023", "IPMS", 0.09, 0.05),
)
_LEVELS = (("团体", "T/CZ 99"), ("行业", "JB/T 99"), ("国家", "GB/T 99"), ("地方", "DB32/T 99"), ("国际", "ISO 99"))
_LEVEL_SHARES = (0.42, 0.22, 0.2, 0.12, 0.04)


def certificates_and_standards(seed: int, firms: Firms) -> pa.Table:
    """STD_CERT: every state of every certificate and of every part in a standard."""
    random = stream(seed, "certificates and standards")
    one, two = _certificates(random, firms), _standards(random, firms)
    merged = {name: np.concatenate([one[name], two[name]]) for name in one}
    firm, entered = merged.pop("firm"), merged.pop("entered")
    arrival = office_time(random, entered)
    ends = dates(merged["until"])
    with_code = random.random(len(firm)) < 0.8
    columns = {
        "recordno": pa.array(merged["number"]),
        "rectype": pa.array(merged["type"]),
        "uniscid": pa.array(np.where(with_code, firms.uscc[firm], "").astype(object)),
        "entname": name_on(firms, firm, merged["since"]),
        "certkind": pa.array(merged["system"]),
        "certbasis": pa.array(merged["basis"]),
        "stdno": pa.array(merged["standard"]),
        "stdlevel": pa.array(merged["level"]),
        "stdrole": pa.array(merged["role"]),
        "recdate": dates(merged["since"]),
        "recto": pa.compute.fill_null(ends, ""),
        "recstate": pa.array(merged["state"]),
        "updatetime": moments(arrival),
    }
    return table(firms, firm, arrival, columns, None)


def _text(value: str, rows: int) -> np.ndarray:
    return np.full(rows, value, dtype=object)


def _certificates(random: np.random.Generator, firms: Firms) -> dict[str, np.ndarray]:
    """Issued for three years, mostly renewed under a new number; some are suspended, and then restored or withdrawn."""
    rows: list[tuple[int, int, int]] = []  # enterprise, system, year
    founded: np.ndarray = firms.founded.astype("datetime64[Y]").astype(int) + 1970
    for number, (_, _, _, part, more) in enumerate(_SYSTEMS):
        habit = random.random(firms.count) < part + more * np.clip(firms.size, -1, 2)
        first, keeps = random.integers(0, 3, firms.count), random.random((firms.count, len(_YEARS))) < 0.88
        for firm in np.flatnonzero(habit).tolist():
            for t, year in enumerate(_YEARS.tolist()):
                if (year - first[firm]) % 3 == 0 and year > founded[firm]:
                    if not keeps[firm, t]:
                        break
                    rows.append((firm, number, year))
    firm, system, years = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    m = len(firm)
    since = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]") + random.integers(0, 365, m) * _DAY
    until = (since.astype("datetime64[M]") + 36).astype("datetime64[D]") + np.timedelta64(5, "D")
    letters = pa.array([_SYSTEMS[i][2] for i in system.tolist()], pa.string())
    numbers = joined("99", integers(years), letters, integers(np.arange(m), 6))
    entered = since + random.integers(5, 35, m) * _DAY
    suspended = random.random(m) < 0.04
    suspended_on = entered + random.integers(60, 800, m) * _DAY
    after = suspended_on + random.integers(30, 120, m) * _DAY
    final = np.where(random.random(m) < 0.5, "有效", np.where(random.random(m) < 0.6, "撤销", "注销")).astype(object)
    everyone = np.arange(m)
    at = np.concatenate([everyone, everyone[suspended], everyone[suspended]])
    return {
        "firm": firm[at],
        "entered": np.concatenate([entered, suspended_on[suspended], after[suspended]]),
        "number": np.array(numbers.to_pylist(), dtype=object)[at],
        "type": _text("认证证书", len(at)),
        "system": np.array([_SYSTEMS[i][0] for i in system.tolist()], dtype=object)[at],
        "basis": np.array([_SYSTEMS[i][1] for i in system.tolist()], dtype=object)[at],
        "standard": _text("", len(at)),
        "level": _text("", len(at)),
        "role": _text("", len(at)),
        "since": since[at],
        "until": until[at],
        "state": np.concatenate([_text("有效", m), _text("暂停", int(suspended.sum())), final[suspended]]),
    }


def _standards(random: np.random.Generator, firms: Firms) -> dict[str, np.ndarray]:
    """Parts in standards, more with size; some standards are withdrawn years later."""
    technical = np.array([profile["tech"] > 0 for profile in industries()])[firms.industry]
    rate = np.clip(0.02 + 0.09 * firms.size, 0, 0.3) * firms.research * technical
    founded: np.ndarray = firms.founded.astype("datetime64[Y]").astype(int) + 1970
    counts = np.asarray(random.poisson(rate[:, None] * (founded[:, None] < _YEARS)))
    firm, t = np.nonzero(counts)
    repeats = counts[firm, t]
    firm, years = np.repeat(firm, repeats), _YEARS[np.repeat(t, repeats)]
    m = len(firm)
    since = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]") + random.integers(0, 365, m) * _DAY
    pick = random.choice(len(_LEVELS), m, p=_LEVEL_SHARES)
    prefix = pa.array([_LEVELS[i][1] for i in pick.tolist()], pa.string())
    standard = joined(prefix, integers(np.arange(m), 4), "-", integers(years))
    place = np.where(random.random(m) < 0.3, 1, random.integers(2, 12, m))
    numbers = joined(standard, "#", integers(place))
    entered = since + random.integers(10, 60, m) * _DAY
    withdrawn = random.random(m) < 0.05
    withdrawn_on = entered + random.integers(200, 1800, m) * _DAY
    everyone = np.arange(m)
    at = np.concatenate([everyone, everyone[withdrawn]])
    return {
        "firm": firm[at],
        "entered": np.concatenate([entered, withdrawn_on[withdrawn]]),
        "number": np.array(numbers.to_pylist(), dtype=object)[at],
        "type": _text("标准", len(at)),
        "system": _text("", len(at)),
        "basis": _text("", len(at)),
        "standard": np.array(standard.to_pylist(), dtype=object)[at],
        "level": np.array([_LEVELS[i][0] for i in pick.tolist()], dtype=object)[at],
        "role": np.where(place == 1, "主导", "参与").astype(object)[at],
        "since": since[at],
        "until": np.full(len(at), _NEVER),
        "state": np.concatenate([_text("现行", m), _text("废止", int(withdrawn.sum()))]),
    }
