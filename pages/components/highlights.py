"""A text with its words marked by how they moved a score. All of the text is escaped: it is typed by learners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

DEPTHS = 4
NAMED = 3  # words of each direction in the summary for readers
_STRENGTH = ("a little", "somewhat", "much", "very much")
# Blue and orange are told apart with every common kind of colour blindness; the underline says it once more,
# on paper and to whoever sees no colours.
_STYLE = """<style>
.why {white-space: pre-wrap; overflow-wrap: anywhere; line-height: 2; unicode-bidi: plaintext; font-size: 1.02rem}
.why mark {color: inherit; border-radius: 4px; padding: .08em .12em; background: none;
  text-decoration-skip-ink: none; text-underline-offset: .28em; -webkit-print-color-adjust: exact;
  print-color-adjust: exact}
.why .up {text-decoration: underline solid #0072B2}
.why .down {text-decoration: underline wavy #C25000}
.why .d1 {text-decoration-thickness: 1px} .why .d2 {text-decoration-thickness: 1.5px}
.why .d3 {text-decoration-thickness: 2px} .why .d4 {text-decoration-thickness: 3px}
.why .up.d1 {background: rgba(0, 114, 178, .12)} .why .up.d2 {background: rgba(0, 114, 178, .24)}
.why .up.d3 {background: rgba(0, 114, 178, .38)} .why .up.d4 {background: rgba(0, 114, 178, .54)}
.why .down.d1 {background: rgba(230, 120, 0, .13)} .why .down.d2 {background: rgba(230, 120, 0, .26)}
.why .down.d3 {background: rgba(230, 120, 0, .4)} .why .down.d4 {background: rgba(230, 120, 0, .56)}
.why .unread {opacity: .62; text-decoration: line-through dotted}
.why .differs {font-weight: 650; text-decoration: underline 2px #4F93A6; background: none}
.why .said {position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap}
.why.legend {font-size: .85rem; line-height: 1.9} .why.small {font-size: .95rem; line-height: 1.7}
</style>"""

Span = tuple[int, int]


@dataclass(frozen=True)
class Meaning:
    """What a value above and below zero says, as the end of a sentence about a word; and its unit on hover."""

    up: str = "raises the score"
    down: str = "lowers the score"
    unit: str = "points"


def depth(value: float, scale: float) -> int:
    """How deeply a word is coloured: 0, not at all, below a fifth of the scale, to `DEPTHS` from four fifths on.

    >>> [depth(v, 1.0) for v in (0.1, -0.2, 0.5, 0.7, -2.0)]
    [0, 1, 2, 3, 4]
    """
    share = min(1.0, abs(value) / scale) if scale > 0 else 0.0
    return min(DEPTHS, int(share * (DEPTHS + 1)))


def highlighted(
    text: str, spans: Sequence[Span], values: Sequence[float], scale: float, meaning: Meaning, words_read: int
) -> str:
    """HTML of a text whose words carry values.

    Args:
        text: as typed.
        spans: (n,) character offsets of each word, ascending.
        values: (n,) what each word did; words below a small share of `scale` stay unmarked.
        scale: the value of the deepest colour.
        meaning: of the signs, for hovering and for screen readers.
        words_read: words from here on were not read by the student.
    """
    marks: dict[Span, tuple[str, str, str]] = {}
    read = [(span, value) for span, value in zip(spans, values, strict=True)][:words_read]
    summary = _summary(text, [(span, value) for span, value in read if depth(value, scale)], meaning)
    for index, (span, value) in enumerate(zip(spans, values, strict=True)):
        if index >= words_read:
            marks[span] = ("unread", "The model did not read this far.", "")
        elif step := depth(value, scale):
            does = meaning.up if value > 0 else meaning.down
            marks[span] = (
                f"{'up' if value > 0 else 'down'} d{step}",
                f"{does} by {abs(value):.2f} {meaning.unit}",
                f"{does} {_STRENGTH[step - 1]}",
            )
    return _page(_marked(text, marks) + f'<span class="said">{escape(summary)}</span>')


def stands_out(values: Sequence[float], scale: float) -> bool:
    """Whether any word is marked at all."""
    return any(depth(value, scale) for value in values)


def with_differences(text: str, spans: Sequence[Span]) -> str:
    """HTML of a text in which some stretches are set off, for comparing."""
    marks = {(start, end): ("differs", "", "") for start, end in spans if start < end}
    return _page(_marked(text, marks), "small")


def plainly(text: str, *, small: bool = False) -> str:
    """HTML of a text without any mark, set like one that has them."""
    return _page(escape(text), "small" if small else "")


def legend(meaning: Meaning) -> str:
    """What the marks mean, in the marks themselves."""
    parts = []
    for name, does in (("up", meaning.up), ("down", meaning.down)):
        steps = "".join(f'<mark class="{name} d{step}">&nbsp;{step}&nbsp;</mark>' for step in range(1, DEPTHS + 1))
        parts.append(f"{steps}&ensp;{escape(does)}, from a little to very much")
    return _page("<br>".join(parts), "legend")


def _summary(text: str, marked: Sequence[tuple[Span, float]], meaning: Meaning) -> str:
    """The strongest words of each direction, for whoever can't see the marks."""
    order = sorted(marked, key=lambda pair: -abs(pair[1]))
    parts = []
    for does, raised in ((meaning.up, True), (meaning.down, False)):
        words = [text[slice(*span)] for span, value in order if (value > 0) is raised][:NAMED]
        if words:
            parts.append(f"What {does} most: {', '.join(words)}.")
    return " ".join(parts) or "No word stands out."


def _marked(text: str, marks: Mapping[Span, tuple[str, str, str]]) -> str:
    parts, end = [], 0
    for span in sorted(marks):
        kind, title, said = marks[span]
        # A description, not text between the words: the answer itself is read out, copied and printed as it is.
        spoken = f' aria-description="{escape(said)}"' if said else ""
        tip = f' title="{escape(title)}"' if title else ""
        parts += [escape(text[end : span[0]]), f'<mark class="{kind}"{tip}{spoken}>{escape(text[slice(*span)])}</mark>']
        end = span[1]
    return "".join([*parts, escape(text[end:])])


def _page(body: str, kind: str = "") -> str:
    return f'{_STYLE}<div class="why {kind}" dir="auto">{body}</div>'
