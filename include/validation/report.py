"""The validation report: one page that opens anywhere, offline, and shows counts only."""

from __future__ import annotations

from html import escape
from typing import Any

from include.contracts import Contract

_SEVERITY_ZH = {"reject_snapshot": "拒收快照", "quarantine_rows": "隔离行", "warn": "仅提示"}
_VERDICT_ZH = {"accepted": "已接收", "rejected": "已拒收"}

_STYLE = """
:root{--ink:#1c2430;--soft:#5d6b7c;--line:#e3e8ee;--paper:#f5f7fa;--card:#fff;--good:#1f7a4d;--bad:#b3261e;--warn:#9a6700;
--wait:#6b4fa0}
@media(prefers-color-scheme:dark){:root{--ink:#e8edf3;--soft:#9aa8b8;--line:#2c3745;--paper:#12181f;--card:#1a222c;
--good:#5fcf98;--bad:#ff8a80;--warn:#f0c36d;--wait:#b9a3e8}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);line-height:1.55;
font:15px/1.55 "PingFang SC","Microsoft YaHei","Noto Sans CJK SC",system-ui,sans-serif}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.45rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .6rem}
.soft{color:var(--soft)}.key{font-family:ui-monospace,Consolas,monospace;font-size:.86em;overflow-wrap:anywhere}
.verdict{display:inline-block;margin:.9rem 0 .2rem;padding:.15rem .8rem;border-radius:1rem;color:#fff;font-weight:600}
.accepted{background:#1f7a4d}.rejected{background:#b3261e}
.counts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.7rem;margin:1rem 0}
.count{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.7rem .9rem}
.count b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums;line-height:1.2}
.bar{display:flex;height:.7rem;border-radius:.35rem;overflow:hidden;background:var(--line)}
.wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.6rem}
table{border-collapse:collapse;width:100%;line-height:1.4}
th,td{padding:.4rem .7rem;text-align:left;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;color:var(--soft);font-weight:500;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.ok{color:var(--good)}.bad{color:var(--bad);font-weight:600}.hint{color:var(--warn);font-weight:600}
.empty{padding:.7rem .9rem}
"""


def render_report(contract: Contract, key_text: str, judgement_json: dict[str, Any]) -> str:
    """One self-contained HTML page of `Judgement.to_json()`. It loads nothing and holds no value of any row."""
    found = judgement_json
    titles = {check["id"]: check["title_zh"] for check in found["checks"]}
    counts = [("收到", "rows_in"), ("重复", "duplicates"), ("接收", "accepted"), ("隔离", "quarantined")]
    tiles = "".join(
        f'<div class="count"><b>{found[name]:,}</b><span class="soft">{zh}</span></div>' for zh, name in counts
    )
    broken = [check for check in found["checks"] if not check["passed"]]
    kept = [check for check in found["checks"] if check["passed"]]
    reasons = sorted(found["reasons"].items(), key=lambda one: (-one[1], one[0]))
    reason_rows = [[_named(titles[name], name), f"{count:,}"] for name, count in reasons]
    reason = f'<p class="bad">拒收原因：{escape(found["reason"])}</p>' if found["reason"] else ""
    return f"""<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(contract.title_zh)} 校验报告</title><style>{_STYLE}</style></head><body><main>
<h1>{escape(contract.title_zh)} <span class="soft">校验报告</span></h1>
<div class="soft key">{escape(key_text)} · 合同版本 {contract.version} · {escape(contract.owner)}</div>
<div class="verdict {found["verdict"]}">{_VERDICT_ZH[found["verdict"]]}</div>
{reason}<div class="counts">{tiles}</div>
{_bar(found)}
<p class="soft">收到 = 重复 + 接收 + 隔离。本页只有计数，不含任何一条记录的内容。</p>
<h2>隔离原因</h2>{_table(["原因", "行数"], reason_rows, "没有被隔离的行。")}
<h2>未通过的检查</h2>{_checks(broken, "全部检查通过。")}
<h2>通过的检查</h2>{_checks(kept, "没有通过的检查。")}
</main></body></html>
"""


def _bar(found: dict[str, Any]) -> str:
    colours = {"accepted": "var(--good)", "quarantined": "var(--wait)", "duplicates": "var(--soft)"}
    parts = "".join(f'<i style="flex:{found[name]};background:{colour}"></i>' for name, colour in colours.items())
    return f'<div class="bar" role="img" aria-label="接收、隔离、重复之比">{parts}</div>'


def _checks(checks: list[dict[str, Any]], empty: str) -> str:
    rows = []
    for check in checks:
        tone = "ok" if check["passed"] else "hint" if check["severity"] == "warn" else "bad"
        failed = f'<span class="{tone}">{check["failed"]:,}</span>'
        said = f'<br><span class="soft">{escape(check["detail"])}</span>' if check["detail"] else ""
        named, severity = _named(check["title_zh"], check["id"]) + said, _SEVERITY_ZH[check["severity"]]
        rows.append([named, severity, f"{check['checked']:,}", failed])
    return _table(["检查", "不通过时", "检查数", "未通过"], rows, empty)


def _table(headings: list[str], rows: list[list[str]], empty: str) -> str:
    if not rows:
        return f'<div class="wide empty soft">{empty}</div>'
    numeric = {"行数", "检查数", "未通过"}
    tone = [' class="n"' if heading in numeric else "" for heading in headings]
    head = "".join(f"<th{c}>{heading}</th>" for c, heading in zip(tone, headings, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{c}>{cell}</td>" for c, cell in zip(tone, row, strict=True)) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _named(title: str, check: str) -> str:
    return f'{escape(title)}<br><span class="key soft">{escape(check)}</span>'
