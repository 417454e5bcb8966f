"""What a teacher is told about each row, and which rows can be taken."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.errors import InvalidInput
from scoring.intake.checking import (
    CheckedFile,
    Mapping,
    RowProblem,
    check_rows,
)
from scoring.intake.exporting import write_csv
from scoring.intake.reading import ClassFile, read_class_file

STUDENT_AND_ANSWER = Mapping("Answer", "Student")


def file_of(headers: list[str], *rows: list[str]) -> ClassFile:
    """A class's file through real bytes; `write_csv` would neutralise, so cells are quoted by hand."""
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in (headers, *rows)]
    return read_class_file("class.csv", "\r\n".join(lines).encode())


def check(*rows: list[str], mapping: Mapping = STUDENT_AND_ANSWER, text_limit: int = 10_000) -> CheckedFile:
    return check_rows(file_of(["Student", "Answer"], *rows), mapping, text_limit=text_limit)


def only_problem(checked: CheckedFile) -> RowProblem:
    assert len(checked.problems) == 1, checked.problems
    return checked.problems[0]


def test_good_rows_pass_without_remark() -> None:
    checked = check(["s1", "Salt dissolves."], ["s2", "- it melts, -5 degrees"], ["s3", "+ heat (more)"])
    assert not checked.problems
    assert not checked.notes
    assert [(row.number, row.learner, row.attempt) for row in checked.good] == [
        (2, "s1", 1), (3, "s2", 1), (4, "s3", 1),
    ]  # fmt: skip
    assert checked.good == checked.rows


class TestAnswers:
    @pytest.mark.parametrize("cell", ["", "  \n ", "-", "\u200b", "<p> </p>", "<p>-</p>"])
    def test_a_blank_answer_is_kept_with_a_warning(self, cell: str) -> None:
        checked = check(["s1", cell], ["s2", "x"])
        problem = next(p for p in checked.problems if p.severity == "warning")
        assert (problem.number, problem.field) == (2, "Answer")
        assert problem.message.startswith("blank; will not be scored by the machine")
        assert (checked.good[0].is_blank, checked.good[0].text) == (True, "")

    def test_every_answer_blank_suggests_another_column(self) -> None:
        assert "Choose another column" in check(["s1", ""], ["s2", "-"]).notes[-1]

    def test_a_long_answer_is_cut_on_a_word_and_says_how_much(self) -> None:
        text = "water " * 3333 + "ok"
        checked = check(["s1", text], ["s2", "short"])
        row, problem = checked.good[0], only_problem(checked)
        assert len(text) == 20_000
        assert row.truncated
        assert len(row.text) <= 10_000
        assert text.startswith(row.text + " ")
        assert row.text.endswith("water")
        assert f"20,000 characters; the last {20_000 - len(row.text):,} were left out" in problem.message
        assert "original file keeps everything" in problem.message
        assert (problem.number, problem.field, problem.severity) == (2, "Answer", "warning")
        assert len(problem.found) <= 60
        assert not checked.good[1].truncated

    def test_one_long_word_is_cut_at_the_limit(self) -> None:
        assert len(check(["s1", "x" * 20_000]).good[0].text) == 10_000

    @pytest.mark.parametrize(
        ("text", "script"),
        [
            ("Соль растворяется в воде", "Cyrillic"),
            ("蒸发", "Han"),
            ("الملح يذوب في الماء", "Arabic"),
            ("소금이 녹는다", "Korean"),
            ("Το αλάτι διαλύεται", "Greek"),
        ],
    )
    def test_another_script_is_warned_about(self, text: str, script: str) -> None:
        problem = only_problem(check(["s1", text]))
        assert script in problem.message
        assert "mostly in" in problem.message
        assert "trained on English" in problem.message
        assert "score this answer yourself" in problem.message
        assert problem.severity == "warning"

    @pytest.mark.parametrize(
        "text",
        ["Δ", "ΔT = αL, so it expands", "José says über", "H₂O → 2H⁺", "ＡＢＣ full width", "🧪🧪🧪", "𝐛𝐨𝐥𝐝"],
    )
    def test_symbols_and_accents_are_no_other_script(self, text: str) -> None:
        assert not check(["s1", text]).problems

    def test_html_exports_lose_tags_and_keep_paragraphs(self) -> None:
        checked = check(["s1", "<p>Salt &amp;&nbsp;water<br>mix.</p>\n<p>Then <b>heat</b></p><style>p{}</style>"])
        assert checked.good[0].text == "Salt & water\nmix.\nThen heat"
        problem = only_problem(checked)
        assert problem.severity == "note"
        assert "tags" in problem.message
        assert problem.found.startswith("<p>Salt")

    def test_a_picture_in_an_answer_is_a_warning(self) -> None:
        checked = check(["s1", f'<p>see <img src="data:image/png;base64,{"A" * 5000}"> here</p>'])
        assert checked.good[0].text == "see here"
        assert "picture" in only_problem(checked).message
        assert only_problem(checked).severity == "warning"

    @pytest.mark.parametrize(
        "filler",
        ["<", "<a ", "</", "<!--", "<script>", "a=b ", "&#", "&#9", "&#x1", "<p", "< ", "data:image/", "'", " "],
    )
    def test_hostile_html_takes_no_time(self, filler: str) -> None:
        # Processor time, which other work on the machine does not lengthen: a quadratic reading would take minutes.
        started = time.process_time()
        for start in ("<p>", "<p ", ""):
            check(["s1", start + filler * (300_000 // len(filler))], ["s2", start + "9" * 9_000])
        assert time.process_time() - started < 15

    def test_an_entity_without_end_is_no_number(self) -> None:
        assert check(["s1", "<p>a &#" + "9" * 9_000 + "; b</p>"]).good[0].text == "a \ufffd b"

    @pytest.mark.parametrize(
        "text",
        [
            "5 < 7 and 7 > 5",
            "I used a <b> tag",
            "<5 degrees",
            "<pH 7> is acid",
            "&amp; is how it is typed",
            "<3",
        ],
    )
    def test_typed_angle_brackets_stay_as_typed(self, text: str) -> None:
        checked = check(["s1", text])
        assert checked.good[0].text == text
        assert not checked.problems

    @pytest.mark.parametrize("text", ["=SUM(A1:A9)", "=cmd|' /C calc'!A0", "@SUM(1)", "+HYPERLINK(1)", "-cmd(2)"])
    def test_a_formula_is_kept_as_text_with_a_note(self, text: str) -> None:
        checked = check(["s1", text])
        problem = only_problem(checked)
        assert checked.good[0].text == text
        assert problem.message == "kept as text, never run; neutralised on export"
        assert (problem.number, problem.field, problem.severity) == (2, "Answer", "note")

    @pytest.mark.parametrize("text", ["-5", "-1.5", "+3", "- salt (NaCl)", "-salt and water (hot)", "–x", "1=1"])
    def test_numbers_and_dashes_do_not_cry_wolf(self, text: str) -> None:
        assert not check(["s1", text]).problems

    def test_a_spreadsheet_error_is_warned_about(self) -> None:
        problem = only_problem(check(["s1", "#NAME?"]))
        assert "look the answer up" in problem.message

    def test_invisible_characters_go_and_accents_are_composed(self) -> None:
        checked = check(["s1", "\ufeffCafe\u0301\u200b wa\u00adter\x07\r\nnext\u2028line\tend"])
        assert checked.good[0].text == "Café water\nnext\nline\tend"


class TestStudents:
    def test_a_missing_student_is_an_error_with_the_remedy(self) -> None:
        checked = check(["s1", "a b"], [" \u200b", "c d"])
        problem = only_problem(checked)
        assert (problem.number, problem.field, problem.severity) == (3, "Student", "error")
        assert "no student; fill in" in problem.message
        assert "leave the student column unmapped" in problem.message
        assert [row.number for row in checked.good] == [2]
        assert [row.number for row in checked.rows] == [2, 3]
        assert checked.errors == (problem,)

    def test_without_a_student_column_rows_name_them(self) -> None:
        checked = check(["s1", "same"], ["s1", "same"], mapping=Mapping("Answer", None))
        assert [row.learner for row in checked.good] == ["Row 2", "Row 3"]
        assert not checked.problems

    def test_a_second_answer_is_the_next_attempt(self) -> None:
        checked = check(["s1", "first"], ["s2", "other"], ["S1 ", "second"], ["s1", "third"])
        assert [(row.learner, row.attempt) for row in checked.good] == [
            ("s1", 1), ("s2", 1), ("S1", 2), ("s1", 3),
        ]  # fmt: skip
        first, second = checked.problems
        assert (first.number, first.field, first.severity) == (4, "Student", "warning")
        assert "the same student as in row 2; taken as attempt 2" in first.message
        assert "give them different ids" in first.message
        assert "row 4" in second.message

    def test_the_same_answer_twice_is_an_error(self) -> None:
        checked = check(["s1", "first"], ["s1", "first "], ["s1", "other"])
        error = checked.errors[0]
        assert (error.number, error.field) == (3, "Student")
        assert "same student and answer as row 2" in error.message
        assert "counted twice, so leave one out" in error.message
        assert [(row.number, row.attempt) for row in checked.good] == [(2, 1), (4, 2)]

    def test_answers_that_differ_only_beyond_the_limit_are_two_attempts(self) -> None:
        checked = check(["s1", "x" * 50 + " a"], ["s1", "x" * 50 + " b"], text_limit=40)
        assert len(checked.good) == 2

    def test_a_formula_as_a_name_is_noted(self) -> None:
        problem = only_problem(check(["=1+1", "salt"]))
        assert (problem.field, problem.severity) == ("Student", "note")

    def test_stated_attempts_are_read(self) -> None:
        found = file_of(["Student", "Try", "Answer"], ["s1", "2", "x"], ["s1", "1.0", "x"], ["s1", "two", "y"])
        checked = check_rows(found, Mapping("Answer", "Student", attempt="Try"))
        assert [row.attempt for row in checked.good] == [2, 1, 3]
        assert "not an attempt number" in checked.problems[0].message
        assert (checked.problems[0].number, checked.problems[0].field) == (4, "Try")

    def test_a_repeated_attempt_number_is_moved_on_with_a_warning(self) -> None:
        found = file_of(["Student", "Try", "Answer"], ["s1", "1", "x"], ["s1", "1", "y"], ["s1", "1", "x"])
        checked = check_rows(found, Mapping("Answer", "Student", attempt="Try"))
        assert [row.attempt for row in checked.good] == [1, 2]
        assert "row 2" in checked.problems[0].message
        assert checked.errors[0].number == 4

    def test_surname_and_first_name_make_one_name(self) -> None:
        found = file_of(["Last name", "First name", "Username", "Answer"], ["Díaz", "Ana", "u1", "salt"])
        checked = check_rows(found, Mapping("Answer", "Username", "Last name"))
        assert checked.good[0].learner_name == "Ana Díaz"


class TestRows:
    def test_rows_with_too_many_cells_are_refused_with_the_remedy(self) -> None:
        found = read_class_file("a.csv", b"Student,Answer\ns1,salt\ns2,first, then\ns2,water\n")
        checked = check_rows(found, STUDENT_AND_ANSWER)
        assert (checked.errors[0].number, checked.errors[0].field) == (3, "Answer")
        assert "1 cell more than there are columns" in checked.errors[0].message
        assert "save the file as XLSX" in checked.errors[0].message
        assert [(row.number, row.attempt) for row in checked.good] == [(2, 1), (4, 1)]

    def test_blank_rows_and_repeated_headers_are_skipped_with_a_note(self) -> None:
        checked = check(["s1", "a b"], ["", ""], ["Student", "Answer"], ["s2", "c d"])
        assert [row.number for row in checked.rows] == [2, 5]
        assert checked.notes == ("Row 3 skipped: blank.", "Row 4 skipped: the column names again.")

    def test_found_is_at_most_60_characters_on_one_line(self) -> None:
        problem = only_problem(check(["s1", "=" + "long\n" * 100]))
        assert len(problem.found) == 60
        assert problem.found.endswith("…")
        assert "\n" not in problem.found

    def test_a_column_that_is_not_there_is_named(self) -> None:
        with pytest.raises(InvalidInput, match=r"no column “Essay”. Choose one of: “Student”, “Answer”"):
            check(["s1", "x"], mapping=Mapping("Essay", "Student"))
        with pytest.raises(InvalidInput, match="Choose different columns"):
            check(["s1", "x"], mapping=Mapping("Answer", "Answer"))


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r\t\x0b\x85"), max_size=60)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(["a", "b", "", " c"]), ANY_TEXT), min_size=1, max_size=12))
def test_every_filled_row_is_accounted_for(rows: list[tuple[str, str]]) -> None:
    data = write_csv(["Student", "Answer"], [*rows, ("end", "the end")])
    found = read_class_file("a.csv", data)
    checked = check_rows(found, STUDENT_AND_ANSWER, text_limit=50)
    filled = {row.number for row in found.rows if any(cell.strip() for cell in row.cells)}
    assert {row.number for row in checked.rows} == filled
    assert {row.number for row in checked.good} | {p.number for p in checked.errors} == filled
    keys = [(row.learner.casefold(), row.attempt) for row in checked.good]
    assert len(set(keys)) == len(keys)
    for row in checked.rows:
        assert len(row.text) <= 50
        assert row.is_blank == (not row.text)
        assert unicodedata.is_normalized("NFC", row.text)
