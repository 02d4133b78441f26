"""Bar charts as SVG: a few groups of bars with their values, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_BAR, _GAP, _GROUP_GAP = 22, 4, 22
_LEFT, _WIDTH, _RIGHT = 190, 420, 90
_COLORS = ("#c47f1e", "#3d7ea6", "#7a8b3c", "#8a5fa8", "#a84f4f")


@dataclass(frozen=True)
class Mark:
    """A labelled line across one group, such as a goal or a limit."""

    value: float
    words: str


def bar_chart(
    title: str,
    groups: Mapping[str, Sequence[float | None]],
    series: Sequence[str],
    unit: str = "",
    marks: Mapping[str, Mark] | None = None,
) -> str:
    """Draw a bar chart and return the SVG text.

    Args:
        groups: {name: a value for each series}, each group on its own scale; None draws a dash instead of a bar.
        marks: {name of a group: its line}.

    Raises:
        ValueError: without groups, or if the numbers of values and series differ.
    """
    if not groups or any(len(values) != len(series) for values in groups.values()):
        raise ValueError("every group needs a value a series")
    marks = marks or {}
    body: list[str] = []
    y = 64
    for name, values in groups.items():
        mark = marks.get(name)
        known = [value for value in values if value is not None] + ([mark.value] if mark else [])
        scale = _WIDTH / max([*known, 1e-12])
        top = y
        body.append(_text(_LEFT - 12, y + len(series) * (_BAR + _GAP) / 2 + 3, name, anchor="end", weight=600))
        for number, value in enumerate(values):
            width = 0.0 if value is None else max(value, 0.0) * scale
            color = _COLORS[number % len(_COLORS)]
            body.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="3" fill="{color}"/>')
            words = "–" if value is None else f"{_number(value)}{unit}"
            body.append(_text(_LEFT + width + 6, y + 16, words))
            y += _BAR + _GAP
        if mark is not None:
            x = _LEFT + mark.value * scale
            body.append(
                f'<line x1="{x:.1f}" y1="{top - 4}" x2="{x:.1f}" y2="{y}" stroke="#888" stroke-dasharray="4 3"/>'
            )
            body.append(_text(x, y + 10, f"{mark.words} {_number(mark.value)}{unit}", anchor="middle", size=11))
            y += 12
        y += _GROUP_GAP
    legend, x = [], _LEFT
    for number, words in enumerate(series):
        legend.append(f'<rect x="{x}" y="36" width="12" height="12" rx="2" fill="{_COLORS[number % len(_COLORS)]}"/>')
        legend.append(_text(x + 17, 46, words))
        x += 40 + 7 * len(words)
    width = max(_LEFT + _WIDTH + _RIGHT, x)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{escape(title)}">'
        f'<rect width="100%" height="100%" fill="#fbfbfc"/>{_text(16, 24, title, weight=600, size=15)}'
        + "".join(legend + body)
        + "</svg>\n"
    )


def _text(x: float, y: float, words: str, anchor: str = "start", weight: int = 400, size: int = 13) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}" '
        f'fill="#24262b">{escape(words)}</text>'
    )


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 2 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
