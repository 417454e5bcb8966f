"""Times as people say them, and typed text as it was typed."""

from __future__ import annotations

import re
from datetime import UTC, datetime


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
            return _count(seconds // length, unit)
    return _count(seconds, "second")


def in_utc(then: datetime) -> str:
    """Date and time to the second in UTC, without the zone's name; say it beside."""
    return then.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def plain(text: str) -> str:
    r"""Typed text for a place that reads Markdown: every sign stands for itself, and links to nowhere.

    >>> print(plain("A*B [x](y) :red[z] $1"))
    A\*B \[x\]\(y\) \:red\[z\] \$1
    """
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$:&^=-])", r"\\\1", " ".join(text.split()))


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'} ago"
