"""Drawn panels as one SVG document."""

import re
from collections.abc import Sequence

from prunescope.base.errors import UsageError

_SCHEME = "<style>:root{color:#1b1f24}@media(prefers-color-scheme:dark){:root{color:#e4e6e9}}</style>"
LINE = 1300.0
"""Width of a document, points, from which on panels go below each other; one that is wider stands by itself."""
_SIZE = re.compile(r'<svg[^>]*viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>')


def width(panel: str) -> float:
    """The width of an SVG element whose view box begins at 0. Raises UsageError for another."""
    return _size(panel)[1]


def _size(panel: str) -> tuple[str, float, float]:
    """The opening tag, width and height."""
    opening = _SIZE.match(panel.lstrip())
    if opening is None:
        raise UsageError(f"a panel that begins with {panel[:60]!r} is no SVG element with a view box from 0")
    wide, high = (float(number) for number in opening.groups())
    return opening.group(0), wide, high


def side_by_side(panels: Sequence[str]) -> str:
    """All panels, in lines of at most `LINE`, as one stand-alone SVG document that also follows the reader's colours.

    panels: one SVG element each, whose view box begins at 0 and whose ids are its own. Raises UsageError for others.
    """
    parts, x, y, height, longest = list[str](), 0.0, 0.0, 0.0, 0.0
    for panel in panels:
        opening, wide, high = _size(panel)
        if x > 0 and x + wide > LINE:
            x, y, height = 0.0, y + height, 0.0
        inner = re.sub(r' (width|height)="[^"]*"', "", opening)
        place = f'<svg x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}"'
        parts.append(panel.replace(opening, inner.replace("<svg", place, 1), 1).strip())
        x, height = x + wide, max(height, high)
        longest = max(longest, x)
    x, height = longest, y + height
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{x:g}pt" height="{height:g}pt" viewBox="0 0 {x:g} {height:g}">'
    )
    return "\n".join([head, _SCHEME, *parts, "</svg>"]) + "\n"
