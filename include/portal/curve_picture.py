"""A curve as a small SVG, raw points over the value; in whole coordinates, so that the same curve is the same file."""

from __future__ import annotations

from fractions import Fraction

from include.kernel.exact import from_scaled
from include.schemes.curves import Curve

WIDTH, HEIGHT = 560, 220
LEFT, RIGHT, TOP, BOTTOM = 48, 16, 14, 34
LETTER = 6


def picture(curve: Curve, title: str) -> str:
    """The whole curve with a margin on both sides; jumps are gaps with a filled dot where the value belongs."""
    places = [segment.lower for segment in curve.segments if segment.lower is not None]
    span = max(places[-1] - places[0], 1)
    margin = max(span // 8, 1) if len(places) > 1 else max(abs(places[0]), 10**curve.decimals)
    first, last = places[0] - margin, places[-1] + margin
    low, high = min(curve.floor, 0), max(curve.cap, 0)

    def across(place: int) -> int:
        return LEFT + _whole(Fraction((place - first) * (WIDTH - LEFT - RIGHT), last - first))

    def up(points: int) -> int:
        return TOP + _whole(Fraction((high - points) * (HEIGHT - TOP - BOTTOM), high - low))

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        f"<title>{title}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for points in (low, (low + high) // 2, high):
        y = up(points)
        drawn.append(f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="#dddddd"/>')
        drawn.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end" fill="#555555">{_short(points, 3)}</text>')
    for x, text in _labels([(across(place), _short(place, curve.decimals)) for place in places]):
        drawn.append(f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{HEIGHT - BOTTOM}" stroke="#eeeeee"/>')
        drawn.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" fill="#555555">{text}</text>')
    before: int | None = None
    for segment in curve.segments:
        left = first if segment.lower is None else segment.lower
        right = last if segment.upper is None else segment.upper
        if before is not None and before != segment.start:
            drawn.append(f'<circle cx="{across(left)}" cy="{up(before)}" r="3" fill="#ffffff" stroke="#1f5fa8"/>')
            drawn.append(f'<circle cx="{across(left)}" cy="{up(segment.start)}" r="3" fill="#1f5fa8"/>')
        drawn.append(
            f'<line x1="{across(left)}" y1="{up(segment.start)}" x2="{across(right)}" y2="{up(segment.end)}" '
            'stroke="#1f5fa8" stroke-width="2"/>'
        )
        before = segment.end
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _labels(marks: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The first and the last, and from the right whatever stands clear of its neighbours."""
    first, *between, last = [*marks[:1], *marks[1:-1], *marks[-1:]] if len(marks) > 1 else [marks[0], marks[0]]
    kept = [last]
    for x, text in reversed(between):
        if x + _half(text) < kept[-1][0] - _half(kept[-1][1]) and x - _half(text) > first[0] + _half(first[1]):
            kept.append((x, text))
    return list(dict.fromkeys([first, *reversed(kept)]))


def _half(text: str) -> int:
    """Half the width of a label with its margin."""
    return len(text) * LETTER // 2 + LETTER


def _whole(exact: Fraction) -> int:
    return int(exact + Fraction(1, 2))


def _short(scaled: int, decimals: int) -> str:
    """`50000000.00` as 50,000,000; of large numbers only the whole part."""
    value = from_scaled(scaled, decimals)
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
