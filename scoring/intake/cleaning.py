"""One cell's text: what is taken out so that a person and the model read the same words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from scoring.intake.hypertext import html_words, is_html, without_embedded_pictures

_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# Also marks that only steer direction: they can make a text read otherwise than it is stored.
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_FORMULA = re.compile(r"[=@＝＠]|[+\-＋－][A-Za-z]+[A-Za-z0-9.]*\(")
_ERROR_VALUES = frozenset({"#NAME?", "#VALUE!", "#REF!", "#DIV/0!", "#N/A", "#NUM!", "#NULL!", "#ERROR!"})
_WORD_GAP = re.compile(r"\s")
# Names of alphabets in Unicode's character names that a reader would call something else.
_SCRIPTS = {"Cjk": "Chinese (Han)", "Hiragana": "Japanese", "Katakana": "Japanese", "Hangul": "Korean"}
_LATIN_NAMES = ("LATIN", "FULLWIDTH LATIN", "MATHEMATICAL", "MODIFIER LETTER")


@dataclass(frozen=True)
class AnswerText:
    """A cleaned answer. `from_html`: tags were taken off; `pictures`: how many images went with them."""

    text: str
    from_html: bool = False
    pictures: int = 0


def answer_text(cell: str) -> AnswerText:
    r"""Clean one answer; only a cell that is clearly an HTML export loses its tags.

    >>> answer_text("<p>Salt &amp; water</p><p>mix</p>").text
    'Salt & water\nmix'
    >>> answer_text(" 5 <b and b> 2 ").text
    '5 <b and b> 2'
    """
    bare = without_embedded_pictures(cell)
    if is_html(bare):
        words, pictures = html_words(bare)
        return AnswerText(plain_text(words), True, pictures)
    return AnswerText(plain_text(cell))


def plain_text(text: str) -> str:
    r"""Normalise to NFC with `\n` line ends, and take out control and zero-width characters."""
    if text.isascii() and text.isprintable():
        return text.strip()
    text = _LINE_END.sub("\n", text)
    text = _INVISIBLE.sub("", _CONTROL.sub("", text))
    return unicodedata.normalize("NFC", text).strip()


def one_line(text: str) -> str:
    """Clean an id or a name: like `plain_text`, on one line with single spaces."""
    return " ".join(plain_text(text).split())


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, ending with a whole word where one ends in the last tenth.

    >>> cut("salt and water", 11)
    'salt and'
    """
    if len(text) <= limit:
        return text
    for end in range(limit, limit * 9 // 10, -1):
        if _WORD_GAP.match(text[end]):
            return text[:end].rstrip()
    shorter = text[:limit].rstrip()
    # Short limits have no tenth worth searching; keep whole words there too.
    if limit < 100 and (gap := max(shorter.rfind(" "), shorter.rfind("\n"))) > 0:
        return shorter[:gap].rstrip()
    return shorter


def shorten(text: str, limit: int = 60) -> str:
    """A cell for a message: one line, at most `limit` characters with the ellipsis."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit and len(text) <= limit * 4 else line[: limit - 1].rstrip() + "…"


def other_script(text: str) -> str | None:
    """The script that most letters are in when that is not Latin; `None` otherwise.

    Two letters at least, so that a lone Ω or Δ is not a language.

    >>> other_script("испарение воды"), other_script("Δt is 5 °C")
    ('Cyrillic', None)
    """
    if text.isascii():
        return None
    foreign = [character for character in text if character > "\u024f" and character.isalpha()]
    if len(foreign) < 2 or len(foreign) * 2 <= sum(map(str.isalpha, text)):
        return None
    names = Counter(
        name.split()[0].split("-")[0]
        for name in (unicodedata.name(character, "") for character in foreign[:500])
        if name and not name.startswith(_LATIN_NAMES)
    )
    if not names or names.total() * 2 <= min(len(foreign), 500):
        return None
    script = names.most_common(1)[0][0].capitalize()
    return _SCRIPTS.get(script, script)


def formula_like(text: str) -> bool:
    """Whether a spreadsheet would take the text for a formula worth a remark; bare dashes are not.

    >>> [formula_like(t) for t in ("=1+1", "@SUM(A1)", "-cmd(1)", "-5", "- it melts", "+ more water")]
    [True, True, True, False, False, False]
    """
    return _FORMULA.match(text) is not None


def is_error_value(text: str) -> bool:
    """Whether a spreadsheet shows an error instead of what the student wrote."""
    return text in _ERROR_VALUES
