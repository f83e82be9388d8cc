"""HTML from plain values: whatever is not HTML already is escaped."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from ..statistics import Interval


class Html(str):
    """Text that is HTML; all other text is escaped when it becomes part of an element."""


def tag(name: str, *inner: Any, **attributes: Any) -> Html:
    """An element; attributes that are None are left out, and underscores at the end of their names.

    Example:
        >>> tag("p", "a < b & c", tag("b", 1), class_="note", id=None)
        '<p class="note">a &lt; b &amp; c<b>1</b></p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{joined(inner)}</{name}>")


def joined(parts: Iterable[Any]) -> Html:
    """Parts one after another.

    Example:
        >>> joined(["<", Html("<br>")])
        '&lt;<br>'
    """
    return Html("".join(part if isinstance(part, Html) else escape(str(part)) for part in parts))


def number(value: float | None, scale: float = 1.0) -> Html:
    """A cell with a number, which sorts by its value; one without a number sorts last.

    Example:
        >>> number(0.123456), number(None)
        ('<td data-value="0.123456">0.1235</td>', '<td data-value="Infinity">–</td>')
    """
    if value is None or math.isnan(value):
        return tag("td", "–", data_value="Infinity")
    text = f"{scale * value:.4g}"
    return tag("td", text.replace("inf", "∞").replace("-", "−"), data_value=_sorted_by(value))


def interval(given: Sequence[float] | None, scale: float = 1.0) -> Html:
    """A cell with a value and its confidence interval, which sorts by the value.

    Example:
        >>> interval([1.0, 2.0, 3.0])
        '<td data-value="2.0">2 <small>[1, 3]</small></td>'
    """
    if given is None:
        return number(None)
    found = Interval(*(scale * each for each in given))
    value, bounds = (each.replace("-", "−") for each in (f"{found.value:.4g}", found.bounds))
    return tag("td", value, " ", tag("small", bounds), data_value=_sorted_by(given[1]))


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, sortable: bool = True) -> Html:
    """A table that scrolls sideways on a narrow screen; a click on a heading sorts it. Cells may be elements.

    Example:
        >>> table(["a"], [[1]], sortable=False)
        '<div class="wide"><table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table></div>'
    """
    heads = [tag("th", tag("button", each) if sortable else each) for each in head]
    lines = [tag("tr", *(each if isinstance(each, Html) else tag("td", each) for each in row)) for row in rows]
    body = tag("thead", tag("tr", *heads)), tag("tbody", *lines)
    return tag("div", tag("table", *body), class_="wide")


def picture(svg: str, alt: str) -> Html:
    """A picture inside the page; nothing in it can act on the page.

    Example:
        >>> picture("<svg/>", "a < b")
        '<img alt="a &lt; b" src="data:image/svg+xml;base64,PHN2Zy8+">'
    """
    data = base64.b64encode(svg.encode()).decode()
    return Html(f'<img alt="{escape(alt)}" src="data:image/svg+xml;base64,{data}">')


def _sorted_by(value: float) -> str:
    return repr(float(value)).replace("inf", "Infinity")
