"""Which columns are suggested for each platform's export, and which of its rows are skipped."""

import pytest

from scoring.intake.checking import Mapping, check_rows, suggest_mapping
from scoring.intake.columns import Convention, convention_of
from scoring.intake.reading import ClassFile, read_class_file


def file_of(headers: list[str], *rows: list[str]) -> ClassFile:
    """A class's file through real bytes; `write_csv` would neutralise, so cells are quoted by hand."""
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in (headers, *rows)]
    return read_class_file("class.csv", "\r\n".join(lines).encode())


QUESTION = "101: Explain why\nsalt dissolves faster in warm water."


class TestConventions:
    def test_canvas_student_analysis(self) -> None:
        headers = ["name", "id", "sis_id", "section", "section_id", "section_sis_id", "submitted", "attempt"]
        headers += ["100: Pick one", "1.0", QUESTION, "1.0", "n correct", "n incorrect", "score"]
        row = ["Ana Díaz", "11", "A1", "7B", "5", "", "2025-01-01 10:00:00 UTC", "2", "B", "1.0"]
        answer = "Warm water particles move faster."
        found = file_of(
            headers,
            [*row, answer, "0.0", "1", "0", "1"],
            ["Test Student", "99", "", "7B", "5", "", "x", "1", "A", "1.0", "test", "0", "1", "0", "1"],
        )
        mapping = suggest_mapping(found)
        assert convention_of(found.headers) is Convention.CANVAS_QUIZ
        assert mapping == Mapping(" ".join(QUESTION.split()), "id", "name", "attempt")
        checked = check_rows(found, mapping)
        assert [(r.learner, r.learner_name, r.attempt, r.text) for r in checked.good] == [("11", "Ana Díaz", 2, answer)]
        assert "Row 3 skipped: Canvas's “Test Student”" in checked.notes[0]

    def test_canvas_gradebook(self) -> None:
        found = file_of(
            ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Lab notes (123)", "Final Score"],
            ["", "", "", "", "", "Manual Posting", ""],
            ["    Points Possible", "", "", "", "", "10", "(read only)"],
            ["Díaz, Ana", "11", "A1", "ana", "7B", "The salt dissolved in warm water", "9"],
            ["Student, Test", "99", "", "", "7B", "", ""],
        )
        mapping = suggest_mapping(found)
        assert mapping == Mapping("Lab notes (123)", "ID", "Student")
        checked = check_rows(found, mapping)
        assert [row.number for row in checked.rows] == [4]
        notes = "\n".join(checked.notes)
        assert "Row 2 skipped: Canvas's settings" in notes
        assert "Row 3 skipped: Canvas's “Points Possible”" in notes
        assert "Row 5 skipped: Canvas's “Test Student”" in notes

    def test_moodle_responses(self) -> None:
        headers = ["Last name", "First name", "Email address", "Status", "Started", "Completed", "Duration"]
        headers += ["Grade/10.00", "Question 1", "Response 1", "Right answer 1", "Response 2"]
        long = "A model answer that is longer than any student's answer could ever be, by far."
        rest = [
            "a@x.org",
            "Finished",
            "1 May 2025",
            "1 May 2025",
            "5 mins",
            "7.00",
            "Why does salt dissolve?",
        ]
        found = file_of(
            headers,
            ["Díaz", "Ana", *rest, "Warm water moves faster", long, "B"],
            ["Roe", "Bo", "b@x.org", *rest[1:], "-", long, "A"],
            ["Overall average", "", "", "", "", "", "", "7.00", "", "", "", ""],
        )
        mapping = suggest_mapping(found)
        assert mapping == Mapping("Response 1", "Email address", "Last name")
        checked = check_rows(found, mapping)
        assert [(r.learner, r.learner_name, r.is_blank) for r in checked.good] == [
            ("a@x.org", "Ana Díaz", False), ("b@x.org", "Bo Roe", True),
        ]  # fmt: skip
        assert "Moodle's average" in checked.notes[0]

    def test_moodle_assignment_worksheet(self) -> None:
        headers = [
            "Identifier",
            "Full name",
            "Email address",
            "Status",
            "Grade",
            "Maximum Grade",
            "Online text",
        ]
        headers += ["Last modified (grade)", "Feedback comments"]
        row = ["Participant 123", "Ana Díaz", "a@x.org", "Submitted", "", "10", "<p>Salt dissolves</p>", "-"]
        found = file_of(headers, [*row, "A long comment of the teacher, longer than the answer itself was."])
        assert suggest_mapping(found) == Mapping("Online text", "Identifier", "Full name")

    def test_google_forms(self) -> None:
        headers = [
            "Timestamp",
            "Email Address",
            "Score",
            "What is your name?",
            "Why does ice float on water?",
        ]
        row = [
            "01/02/2025 10:11:12",
            "a@x.org",
            "28.00 / 30",
            "Ana Maria Díaz",
            "It is less dense than water",
        ]
        found = file_of(headers, row)
        assert convention_of(found.headers) is Convention.GOOGLE_FORMS
        assert suggest_mapping(found) == Mapping(headers[-1], "Email Address", "What is your name?")

    def test_blackboard_and_brightspace(self) -> None:
        found = file_of(
            ["Last Name", "First Name", "Username", "Student ID", "Essay [Total Pts: 10 Text] |337483"],
            ["Díaz", "Ana", "ana1", "77", "Ice floats because it is less dense"],
        )
        assert suggest_mapping(found) == Mapping(found.headers[4], "Username", "Last Name")
        found = file_of(
            ["OrgDefinedId", "Username", "Q1 text", "End-of-Line Indicator"],
            ["#77", "#ana1", "Ice floats because it is less dense", "#"],
        )
        assert suggest_mapping(found) == Mapping("Q1 text", "OrgDefinedId")

    @pytest.mark.parametrize(
        ("headers", "row", "expected"),
        [
            (["Student_ID", "Response"], ["s1", "salt"], Mapping("Response", "Student_ID")),
            (["Schüler", "Antwort"], ["s1", "Salz löst sich"], Mapping("Antwort", "Schüler")),
            (["Name", "Question", "Answer"], ["Ana", "x" * 90, "it melts"], Mapping("Answer", "Name")),
            (["Text"], ["it melts in water"], Mapping("Text", None)),
            (["foo", "bar"], ["12", "the water gets warm"], Mapping("bar", None)),
            (["id", "Name", "Class", "Explain"], ["1", "Al Bo", "7 B", "it melts, then boils"],
             Mapping("Explain", "id", "Name")),
        ],
    )  # fmt: skip
    def test_plain_files(self, headers: list[str], row: list[str], expected: Mapping) -> None:
        assert suggest_mapping(file_of(headers, row)) == expected

    def test_the_prompt_repeated_in_each_row_is_not_the_answer(self) -> None:
        rows = [[f"s{n}", "Explain in full sentences why ice floats.", f"less dense {n}"] for n in range(6)]
        assert suggest_mapping(file_of(["Student", "Item", "Reply"], *rows)) == Mapping("Reply", "Student")

    def test_no_prose_gives_no_suggestion(self) -> None:
        assert suggest_mapping(file_of(["Student", "Score"], ["s1", "3"])) is None
        assert suggest_mapping(file_of(["Date", "Points", "Mail"], ["2025-01-01", "3,5", "a@b.c"])) is None
