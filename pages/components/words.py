"""Times and counts as people say them, and typed text as it was typed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

T = TypeVar("T")
_SIGNS = re.compile(r"([\\`*_{}\[\]()#+!|<>~$:&^=-])")
# What the page turns into icons, links, arrows and dashes even where the signs are escaped.
_TURNED_ANYWAY = re.compile(
    r"(?<=:)(?=material/|streamlit:)|(?<=http)(?=s?:)|(?<=www)(?=\.)|(?<=\w)(?=@)|(?<=[<>~-])(?=[=-])|(?<=-)(?=>)",
    re.IGNORECASE,
)
_NO_WIDTH = "\N{WORD JOINER}"


def measured(value: float, low: float | None, high: float | None, form: str) -> str:
    """A measured figure with its interval, where there is one.

    >>> measured(0.71, 0.5, 0.82, "{:.2f}"), measured(0.98, None, None, "{:.0%}")
    ('0.71 (0.50 to 0.82)', '98%')
    """
    return form.format(value) + interval(low, high, form)


def interval(low: float | None, high: float | None, form: str) -> str:
    """The ends of a 95% interval in brackets; empty where it is not known.

    One without width comes of answers that all agree: resampling them can't say how far off the figure may be.

    >>> interval(0.5, 0.82, "{:.2f}"), interval(1.0, 1.0, "{:.0%}"), interval(None, None, "{}")
    (' (0.50 to 0.82)', '', '')
    """
    if low is None or high is None or low == high:
        return ""
    return f" ({form.format(low)} to {form.format(high)})"


def ago(then: datetime | None, now: datetime | None = None) -> str:
    """How long ago something was, in words; `never` for `None`.

    >>> from datetime import timedelta
    >>> noon = datetime(2025, 3, 1, 12, tzinfo=UTC)
    >>> [ago(noon - timedelta(seconds=s), noon) for s in (1, 59, 61, 3600, 90_000, 3_000_000, 80_000_000)]
    ['1 second ago', '59 seconds ago', '1 minute ago', '1 hour ago', '1 day ago', '1 month ago', '2 years ago']
    >>> ago(None)
    'never'
    """
    if then is None:
        return "never"
    seconds = int(((now or datetime.now(UTC)) - then).total_seconds())
    if seconds < 1:
        return "just now"
    for length, unit in ((31_536_000, "year"), (2_592_000, "month"), (86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            return f"{counted(seconds // length, unit)} ago"
    return f"{counted(seconds, 'second')} ago"


def in_utc(then: datetime) -> str:
    """Date and time to the second in UTC, without the zone's name; say it beside."""
    return then.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def plain(text: str) -> str:
    r"""Typed text for a place that reads Markdown: every sign stands for itself, and links to nowhere.

    A sign without width breaks up what would be turned into an icon, a link or an arrow all the same.

    >>> print(plain("A*B [x](y) :red[z] $1"))
    A\*B \[x\]\(y\) \:red\[z\] \$1
    >>> print(plain("2. period"))
    2\. period
    >>> [plain(text) == text for text in ("www.x.example", "ada@x.example")]
    [False, False]
    """
    text = _SIGNS.sub(r"\\\1", _TURNED_ANYWAY.sub(_NO_WIDTH, " ".join(text.split())))
    return re.sub(r"^(\d+)\.", r"\1\\.", text)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "answer"), counted(1200, "answer")
    ('1 answer', '1,200 answers')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def told_apart(things: Iterable[T], name: Callable[[T], str], detail: Callable[[T], str]) -> dict[str, T]:
    """Things by a label each. Select boxes know their entries by label, so no two may read the same.

    >>> told_apart([("7b", "Ann"), ("8a", "Ann"), ("8a", "Bo")], lambda t: t[0], lambda t: t[1])
    {'7b': ('7b', 'Ann'), '8a · Ann': ('8a', 'Ann'), '8a · Bo': ('8a', 'Bo')}
    """
    listed = list(things)
    names = Counter(name(thing) for thing in listed)
    labels: dict[str, T] = {}
    for thing in listed:
        base = label = name(thing) if names[name(thing)] == 1 else f"{name(thing)} · {detail(thing)}"
        number = 1
        while label in labels:
            number += 1
            label = f"{base} ({number})"
        labels[label] = thing
    return labels
