"""Answers that a platform exported as HTML: the words and paragraphs without the tags.

Every step takes time linear in the cell's length: a cell is whatever a student typed, and the standard
library's parser needs hours for some texts of a megabyte.
"""

from __future__ import annotations

import html
import re

_TAG_AT_START = re.compile(
    r"""\s*+<(?:p|div|span|br|ul|ol|li|strong|em|b|i|u|h[1-6]|table|font|pre|blockquote|a|img|section|article)
    (?:\s++[\w:-]++\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'>]++))*+\s*+/?>""",
    re.IGNORECASE | re.VERBOSE,
)
_START_CHARACTERS = 5_000
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]*+)\b[^<>]*+>")
_EMBEDDED_PICTURE = re.compile(r"""data:image/[^"'\s>]*+""")
_SILENT = (
    (re.compile("<!--"), re.compile("-->")),
    (re.compile(r"<(?:script|style)\b", re.IGNORECASE), re.compile(r"</(?:script|style)\s*+>", re.IGNORECASE)),
)
# Python refuses to convert numbers of thousands of digits; no character needs more than seven.
_ENDLESS_ENTITY = re.compile(r"&#[xX]?[0-9A-Fa-f]{8,}+;?")
_SPACES = re.compile(r"[ \t\r\n]+")
_BLOCKS = frozenset({"p", "div", "br", "li", "ul", "ol", "tr", "table", "blockquote", "pre", "section", "article"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})


def without_embedded_pictures(cell: str) -> str:
    """The cell without the bytes of pictures inside it, which can be a hundred times its text."""
    return _EMBEDDED_PICTURE.sub("", cell) if "data:image/" in cell else cell


def is_html(cell: str) -> bool:
    """Whether a cell clearly begins as an HTML export, with a whole tag; typed comparisons do not.

    >>> [is_html(cell) for cell in ("<p>ice", '<p class="x">', "<b and c> d", "<5 g", "<pH 7>")]
    [True, True, False, False, False]
    """
    return "<" in cell[:200] and _TAG_AT_START.match(cell[:_START_CHARACTERS]) is not None


def html_words(cell: str) -> tuple[str, int]:
    r"""The text, one paragraph a line, and how many pictures it was shown with.

    >>> html_words("<p>Salt &amp; <b>water</b></p><p>mix<img src='x.png'></p>")
    ('Salt & water\nmix', 1)
    """
    for opening, closing in _SILENT:
        cell = _without(cell, opening, closing)
    pictures = 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal pictures
        tag = match[1].lower()
        pictures += tag == "img"
        if tag in _BLOCKS or tag in _HEADINGS:
            return "\n"
        return " " if tag in ("td", "th", "img") else ""

    marked = _TAG.sub(replacement, _SPACES.sub(" ", cell))
    text = html.unescape(_ENDLESS_ENTITY.sub("\ufffd", marked))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line), pictures


def _without(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    """The text without what stands from each opening to its closing; an unclosed one stays."""
    kept, position = [], 0
    while start := opening.search(text, position):
        end = closing.search(text, start.end())
        if end is None:
            break
        kept.append(text[position : start.start()])
        position = end.end()
    return "".join((*kept, text[position:]))
