"""No exported cell runs as a formula, and accents and numbers survive."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.intake.exporting import neutralise, write_csv
from scoring.intake.reading import read_class_file

FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


@pytest.mark.parametrize(
    "value",
    [
        "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\u200b=1",
        "\ufeff@x", "＝1", "＋1", "－x", "＠x", " ＝1", "-cmd|' /C calc'!A0", "- it melts", "-", "\x00=1",
        "\tplain",
    ],
)  # fmt: skip
def test_formulas_get_a_quote_before_them(value: str) -> None:
    assert neutralise(value) == "'" + value


@pytest.mark.parametrize("value", ["", "salt", "-1.5", "+3", "-1,5", "1e-5", "-2.5E+3", "-50%", "'=1", "1=1", "a@b.c"])
def test_plain_texts_and_numbers_stay(value: str) -> None:
    assert neutralise(value) == value


def test_writes_a_file_that_excel_opens_with_accents() -> None:
    data = write_csv(["Name", "=Score"], [["José", 2], ['say "hi", you', None], ["two\nlines", -1.5]])
    assert data == (b'\xef\xbb\xbfName,\'=Score\r\nJos\xc3\xa9,2\r\n"say ""hi"", you",\r\n"two\nlines",-1.5\r\n')


def test_comes_back_through_the_reader() -> None:
    found = read_class_file("a.csv", write_csv(["Student", "Answer"], [["=s1", "水, “x”"], ["s2", "ok"]]))
    assert [row.cells for row in found.rows] == [("'=s1", "水, “x”"), ("s2", "ok")]


def test_half_a_surrogate_pair_does_not_lose_the_file() -> None:
    assert b"ok" in write_csv(["a"], [["\ud800"], ["ok"]])


CELLS = st.one_of(
    st.text(max_size=30),
    st.builds(str.__add__, st.text("\t\r\n \u00a0\u200b\ufeff\x00=+-@＝＋－＠", max_size=4), st.text(max_size=10)),
)


@settings(max_examples=300, deadline=None)
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=6))
def test_no_exported_text_cell_begins_with_a_formula_character(rows: list[list[str]]) -> None:
    text = write_csv(["a", "b"], rows).decode("utf-8-sig")
    written = list(csv.reader(io.StringIO(text, newline="")))
    assert len(written) == len(rows) + 1
    for before, after in zip(rows, written[1:], strict=True):
        for cell, exported in zip(before, after, strict=True):
            assert exported.removeprefix("'") == cell.encode("utf-8", "replace").decode().removeprefix("'")
            shown = exported.lstrip().lstrip("\u200b\ufeff\x00").lstrip()
            is_number = exported.lstrip("+-").replace(",", ".").rstrip("%").replace(".", "").isascii()
            starts = exported.startswith(FORMULA_STARTS) or shown.startswith(FORMULA_STARTS)
            assert not starts or (is_number and exported == cell and any(c.isdigit() for c in cell))
