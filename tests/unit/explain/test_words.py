from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.explain.words import bare_word, cleaned_spans, differences, keep_words, word_spans
from scoring.student.text import aligned_view, clean_text

TEXTS = st.text(st.characters() | st.sampled_from("  ^p&amp;''\u200b.,-ab\u05d0\U0001f480\u0301"), max_size=60)


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("Salt", ["Salt"]),
        ("don't stop, well-known (so)!", ["don't", "stop,", "well-known", "(so)!"]),
        ("heat,energy", ["heat,", "energy"]),
        ("3,000.5 g", ["3,000.5", "g"]),
        ("it ^p sinks", ["it", "sinks"]),
        ("''so'' a &amp; b", ["''so''", "a", "&amp;", "b"]),
        ("wa\u200bter", ["wa\u200bter"]),
        ("loses 💀💀 👩‍👩‍👧 🇬🇧", ["loses", "💀", "💀", "👩‍👩‍👧", "🇬🇧"]),
        ("e\u0301te\u0301 हिन्दी", ["e\u0301te\u0301", "हिन्दी"]),
        ("الملح يذيب الجليد", ["الملح", "يذيب", "الجليد"]),
        ("הַמֶּלַח מֵמֵס", ["הַמֶּלַח", "מֵמֵס"]),
        ("...", ["..."]),
    ],
)
def test_words_are_whole_in_every_script(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(TEXTS)
def test_words_stand_in_order_and_hold_all_that_the_student_reads(text: str) -> None:
    spans = word_spans(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    visible = {i for i, c in enumerate(aligned_view(text)) if c.isalnum()}
    assert visible <= {i for start, end in spans for i in range(start, end)}
    assert keep_words(text, spans, [True] * len(spans)) == text
    assert words(keep_words(text, spans, [False] * len(spans))) == []


@given(TEXTS)
def test_the_view_moves_no_character(text: str) -> None:
    assert len(aligned_view(text)) == len(text)


@given(st.lists(st.sampled_from(["salt,", "a", "''b''", "&amp;", "2-1=1", "💀", "שלום"]), min_size=1, max_size=12))
def test_each_word_is_found_in_the_cleaned_copy(parts: list[str]) -> None:
    text = " ".join(parts)
    cleaned = clean_text(text)
    spans = word_spans(text)
    for (start, end), (cleaned_start, cleaned_end) in zip(spans, cleaned_spans(text, spans), strict=True):
        assert cleaned[cleaned_start:cleaned_end] == clean_text(text[start:end])


def test_a_word_is_left_out_without_joining_its_neighbours() -> None:
    text = "412-10=402"
    spans = word_spans(text)
    assert keep_words(text, spans, [True, False, True]) == "412- 402"


def test_differences_name_what_was_added_left_out_and_changed() -> None:
    ours, theirs = "Salt melts the ice.", "salt melts all ice because of heat"
    told = [(ours[slice(*d.ours)], theirs[slice(*d.theirs)]) for d in differences(ours, theirs)]
    assert told == [("the", "all"), ("", "because of heat")]
    assert differences(ours, ours.upper()) == ()


def test_differences_with_an_empty_text_are_the_whole_other_text() -> None:
    (found,) = differences("", "salt melts ice")
    assert (found.ours, found.theirs) == ((0, 0), (0, 14))


def test_a_bare_word_has_no_marks_around_it() -> None:
    assert [bare_word(w) for w in ("(Heat,", "don't", "&amp;", "💀", "''so''")] == ["heat", "don't", "&", "💀", "so"]
