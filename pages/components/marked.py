"""A learner's text with parts of it marked, as HTML in which nothing of the text is read as HTML."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

# Bold and underlined, so that the marks don't hang on colour alone and stand out in the dark as well.
MARK = "background:transparent;color:inherit;font-weight:700;border-bottom:3px solid #d9480f"


def marked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with `[start, end)` marked; spans ascend and lie apart, whatever lies beyond the text is left out.

    >>> marked("a <b> c", [(2, 5)]).split(">", 1)[1].replace(MARK, "…")
    'a <mark style="…">&lt;b&gt;</mark> c</div>'
    """
    parts, at = [], 0
    for start, end in spans:
        parts += [escape(text[at:start]), f'<mark style="{MARK}">{escape(text[start:end])}</mark>']
        at = end
    parts.append(escape(text[at:]))
    return f'<div style="white-space:pre-wrap;overflow-wrap:anywhere">{"".join(parts)}</div>'
