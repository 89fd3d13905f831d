"""Charts as inline SVG without script or style: colours that the colour-blind tell apart (Okabe and Ito 2008).

Every chart stands beside a table with the same figures; nothing is said by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import ceil, cos, pi, sin
from typing import NamedTuple

from markupsafe import Markup, escape

BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#767676"


class Axis(NamedTuple):
    """One axis of a radar or one step of a waterfall: `points` of at most `most`, `median` of the peers."""

    label: str
    points: Decimal
    most: Decimal
    median: Decimal | None = None


def radar(axes: Sequence[Axis], title: str, own: str, peers: str) -> Markup:
    """Each axis as a share of the most it can give: the enterprise filled, the median of its peers dashed. The outer
    ring is the next quarter that holds everything, and says which.
    """
    if len(axes) < 3:
        return Markup()
    middle, outer = (280, 160), 112
    shares = [(_share(axis.points, axis.most), _share(axis.median or Decimal(), axis.most)) for axis in axes]
    reach = max(ceil(max(map(max, shares)) * 4), 1) / 4

    def at(place: int, share: float) -> tuple[float, float]:
        turn = 2 * pi * place / len(axes) - pi / 2
        return middle[0] + outer * share * cos(turn), middle[1] + outer * share * sin(turn)

    def ring(shares: Sequence[float]) -> str:
        return " ".join("{:.1f},{:.1f}".format(*at(place, share)) for place, share in enumerate(shares))

    drawn = [
        f'<polygon points="{ring([quarter / 4] * len(axes))}" fill="none" stroke="#d0d0d0"/>'
        for quarter in (1, 2, 3, 4)
    ]
    for place, axis in enumerate(axes):
        x, y = at(place, 1)
        drawn.append(f'<line x1="{middle[0]}" y1="{middle[1]}" x2="{x:.1f}" y2="{y:.1f}" stroke="#d0d0d0"/>')
        x, y = at(place, 1.14)
        anchor = "middle" if abs(x - middle[0]) < 12 else "start" if x > middle[0] else "end"
        drawn.append(f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{escape(axis.label)}</text>')
    mine, theirs = (ring([pair[side] / reach for pair in shares]) for side in (0, 1))
    drawn += [
        f'<text x="{middle[0] + 6}" y="{middle[1] - outer + 15}" font-size="11" fill="{GREY}">{reach:.0%}</text>',
        f'<polygon points="{mine}" fill="{BLUE}" fill-opacity="0.25" stroke="{BLUE}" stroke-width="2"/>',
        f'<polygon points="{theirs}" fill="none" stroke="{VERMILION}" stroke-width="2" stroke-dasharray="6 4"/>',
        f'<line x1="110" y1="324" x2="140" y2="324" stroke="{BLUE}" stroke-width="4"/>',
        f'<text x="146" y="328">{escape(own)}</text>',
        f'<line x1="300" y1="324" x2="330" y2="324" stroke="{VERMILION}" stroke-width="2" stroke-dasharray="6 4"/>',
        f'<text x="336" y="328">{escape(peers)}</text>',
    ]
    return _svg(560, 336, title, drawn)


def waterfall(steps: Sequence[Axis], title: str, total: str) -> Markup:
    """From nothing to the total, one bar per category, each beginning where the one above it ended."""
    sums = [Decimal()]
    for step in steps:
        sums.append(sums[-1] + step.points)
    low, high = min(*sums, Decimal()), max(*sums, Decimal(1))
    left, right, row = 128, 72, 30
    width = 560 - left - right

    def across(points: Decimal) -> float:
        return left + float((points - low) / (high - low)) * width

    drawn = [
        f'<line x1="{across(Decimal()):.1f}" y1="4" x2="{across(Decimal()):.1f}" y2="{row * len(sums)}" '
        f'stroke="{GREY}"/>'
    ]
    bars = [(step.label, before, after) for step, before, after in zip(steps, sums, sums[1:], strict=False)]
    for place, (label, before, after) in enumerate([*bars, (total, Decimal(), sums[-1])]):
        colour = GREY if place == len(bars) else GREEN if after >= before else VERMILION
        start, end = sorted((across(before), across(after)))
        y = 6 + place * row
        drawn += [
            f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{start:.1f}" y="{y}" width="{max(end - start, 1):.1f}" height="20" fill="{colour}"/>',
            f'<text x="{end + 6:.1f}" y="{y + 15}">{after - before:.3f}</text>',
        ]
    return _svg(560, row * (len(steps) + 1) + 8, title, drawn)


def interval(low: Decimal, total: Decimal, high: Decimal, most: Decimal, title: str) -> Markup:
    """Where the total may lie: what is missing counts nothing at one end and everything at the other."""
    reach = max(high, most, Decimal(1))

    def across(points: Decimal) -> float:
        return 10 + float(max(points, Decimal()) / reach) * 540

    return _svg(
        560,
        42,
        title,
        [
            '<rect x="10" y="14" width="540" height="8" fill="#e4e4e4"/>',
            f'<rect x="{across(low):.1f}" y="14" width="{max(across(high) - across(low), 1):.1f}" height="8" '
            f'fill="{BLUE}" fill-opacity="0.45"/>',
            f'<line x1="{across(total):.1f}" y1="8" x2="{across(total):.1f}" y2="28" '
            f'stroke="{BLUE}" stroke-width="3"/>',
            f'<text x="10" y="40">0</text><text x="550" y="40" text-anchor="end">{reach.normalize():f}</text>',
        ],
    )


def bar(part: Decimal, of: Decimal, expected: Decimal | None = None) -> Markup:
    """A small bar for a table's cell, with a tick where it was expected to end."""
    tick = ""
    if expected is not None:
        x = 120 * _share(expected, of)
        tick = f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="12" stroke="{VERMILION}" stroke-width="2"/>'
    filled = f'<rect width="{120 * _share(part, of):.1f}" y="2" height="8" fill="{BLUE}"/>'
    return Markup(
        f'<svg class="bar" viewBox="0 0 120 12" aria-hidden="true"><rect width="120" y="2" height="8" fill="#e4e4e4"/>'
        f"{filled}{tick}</svg>"
    )


def _share(points: Decimal, most: Decimal) -> float:
    return min(max(float(points / most), 0.0), 1.0) if most > 0 else 0.0


def _svg(width: int, height: int, title: str, drawn: Sequence[str]) -> Markup:
    return Markup(
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" font-size="13" fill="#222222" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{"".join(drawn)}</svg>'
    )
