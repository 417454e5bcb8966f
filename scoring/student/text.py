"""What the student reads: the cleaned copy of a response, and the texts that describe a task.

Training and scoring share these functions; the original text is never changed, only copied.
"""

from __future__ import annotations

import html
import re
import unicodedata

from scoring.domain import Task

_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_INVISIBLE = re.compile(r"[\u200b\ufeff\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PARAGRAPH_MARK = re.compile(r"\^p(?![a-z])")
_QUOTES = re.compile(r"(?:''|``|\")+")
_SPACE = re.compile(r"\s+")
_JOINER = "\u2060"


def clean_text(text: str) -> str:
    r"""The copy of a response that the student reads.

    Undoes what transcription added (`^p` for a paragraph, doubled quote marks, HTML entities),
    normalises Unicode to NFC, drops control and zero-width characters, and joins white space.
    Cleaning twice gives the same as cleaning once, except for entities that were escaped twice.

    >>> clean_text("It''s  heavy ^p so &amp; sinks")
    'It"s heavy so & sinks'
    >>> clean_text(" \t ")
    ''
    """
    text = _ENTITY.sub(lambda match: html.unescape(match.group()), text)
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    text = _PARAGRAPH_MARK.sub(" ", _CONTROL.sub(" ", text))
    return _SPACE.sub(" ", _QUOTES.sub('"', text)).strip()


def aligned_view(text: str) -> str:
    r"""What `clean_text` makes of a text, without moving a character.

    White space stands where `clean_text` puts a space, and U+2060 (word joiner) where it leaves a
    character out, so that offsets into the view are offsets into the original.

    >>> aligned_view("a^p &lt;b")
    'a   <\u2060\u2060\u2060b'
    """
    text = _ENTITY.sub(lambda match: (html.unescape(match[0])[:1] or " ").ljust(len(match[0]), _JOINER), text)
    text = _INVISIBLE.sub(_JOINER, text)
    return _PARAGRAPH_MARK.sub("  ", _CONTROL.sub(" ", text))


def describe_task(task: Task) -> list[str]:
    """The texts whose mean encoding tells the student what a task asks and rewards.

    Prompt, rubric, each criterion with its level descriptors, and the reference answers; one text
    each, so that a long prompt does not push the rubric out of the encoder's window.
    """
    texts = [task.prompt, task.rubric_text]
    for criterion in task.criteria:
        texts.append(f"{criterion.name}. {criterion.description}")
        texts.extend(level.descriptor for level in criterion.levels)
    texts.extend(task.reference_answers)
    return [cleaned for text in texts if (cleaned := clean_text(text))]
