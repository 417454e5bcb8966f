"""Text files as programs and platforms write them, made from real bytes."""

import csv
import hashlib
import io
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.errors import InvalidFile
from scoring.intake.reading import ClassFile, read_class_file

PLAIN = "Student,Answer\r\ns1,Salt dissolves\r\ns2,It melts\r\n"


def read(text: str, encoding: str = "utf-8") -> ClassFile:
    return read_class_file("class.csv", text.encode(encoding))


def cells(class_file: ClassFile) -> list[tuple[str, ...]]:
    return [row.cells for row in class_file.rows]


class TestEncodings:
    @pytest.mark.parametrize(
        ("mark", "codec", "reported"),
        [
            (b"", "utf-8", "utf-8"),
            (b"\xef\xbb\xbf", "utf-8", "utf-8-sig"),
            (b"\xff\xfe", "utf-16-le", "utf-16-le"),
            (b"\xfe\xff", "utf-16-be", "utf-16-be"),
            (b"", "utf-16-le", "utf-16-le"),
            (b"", "utf-16-be", "utf-16-be"),
            (b"\xff\xfe\x00\x00", "utf-32-le", "utf-32-le"),
        ],
    )
    def test_reads_unicode_with_and_without_mark(self, mark: bytes, codec: str, reported: str) -> None:
        data = mark + "Name;Antwort\nJosé;“Größe” – 水 🧪\n".encode(codec)
        found = read_class_file("a.csv", data)
        assert found.encoding == reported
        assert found.headers == ("Name", "Antwort")
        assert cells(found) == [("José", "“Größe” – 水 🧪")]
        assert not found.notes

    def test_reads_cyrillic_utf16_without_mark(self) -> None:
        text = "Ученик,Ответ\r\n" + "Аня,Соль растворяется в воде\r\n" * 5
        assert cells(read(text, "utf-16-le"))[0] == ("Аня", "Соль растворяется в воде")

    def test_reads_windows_1252_with_smart_quotes_and_says_so(self) -> None:
        found = read("Student,Answer\ns1,It’s “warm” – 20° at José’s\n", "cp1252")
        assert found.encoding == "cp1252"
        assert found.rows[0].cells[1] == "It’s “warm” – 20° at José’s"
        assert "Windows-1252" in found.notes[0]
        assert "CSV UTF-8" in found.notes[0]

    def test_one_smart_quote_in_a_class_is_enough(self) -> None:
        text = "Student,Answer\n" + "".join(f"s{n},plain words here\n" for n in range(500)) + "x,don’t know\n"
        assert read(text, "cp1252").rows[-1].cells[1] == "don’t know"

    def test_reads_old_mac_text_with_cr_line_ends(self) -> None:
        found = read("Student,Answer\rs1,they don’t melt\r", "mac_roman")
        assert cells(found) == [("s1", "they don’t melt")]

    def test_reads_windows_1251(self) -> None:
        text = "Ученик;Ответ\n" + "Анна;Соль растворяется в тёплой воде быстрее чем в холодной\n" * 8
        assert read(text, "cp1251").rows[0].cells[1].startswith("Соль растворяется")

    def test_mends_utf8_with_a_foreign_byte(self) -> None:
        data = "Student,Answer\ns1,größer möglich für\ns2,don".encode() + b"\x92t\n"
        found = read_class_file("a.csv", data)
        assert found.rows[0].cells[1] == "größer möglich für"
        assert found.rows[1].cells[1] == "don’t"
        assert "Windows-1252" in found.notes[0]

    def test_takes_nul_characters_out_with_a_note(self) -> None:
        found = read("Student,Answer\ns1,sa\0lt\ns2,water and more\n")
        assert found.rows[0].cells[1] == "salt"
        assert "1 NUL character" in found.notes[0]

    def test_damaged_utf16_still_reads(self) -> None:
        found = read_class_file("a.csv", b"\xff\xfe" + "Student\tAnswer\ns1\tsalt\n".encode("utf-16-le") + b"x")
        assert found.rows[0].cells == ("s1", "salt")


class TestDelimiters:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_recognises_delimiter_and_line_end(self, delimiter: str, line_end: str) -> None:
        lines = [("Student", "Answer"), ("s1", "first"), ("s2", "second")]
        found = read(line_end.join(delimiter.join(line) for line in lines))
        assert found.delimiter == delimiter
        assert cells(found) == lines[1:]

    def test_decimal_commas_do_not_fool_it(self) -> None:
        found = read("id;Punkte;Antwort\n1;3,5;Salz\n2;4,5;Wasser\n3;1,0;Luft\n")
        assert found.delimiter == ";"
        assert cells(found)[0] == ("1", "3,5", "Salz")

    def test_commas_in_the_header_and_in_answers_do_not_fool_it(self) -> None:
        found = read("Student;Answer, in words\ns1;salt, then water\ns2;no idea, sorry\n")
        assert found.headers == ("Student", "Answer, in words")

    def test_one_column_of_prose_stays_one_column(self) -> None:
        found = read("Answer\nI think, because it melts\nWell, no, never; or | maybe\nSalt\n")
        assert found.delimiter == ""
        assert cells(found)[1] == ("Well, no, never; or | maybe",)
        assert not any(row.extra for row in found.rows)

    def test_semicolons_in_quoted_question_do_not_fool_it(self) -> None:
        text = 'Timestamp,Email,"Explain; in your words; why"\n1,a@b.c,"salt; water; heat"\n2,d@e.f,"x; y; z"\n'
        assert read(text).headers == ("Timestamp", "Email", "Explain; in your words; why")

    def test_a_space_after_each_delimiter_is_layout(self) -> None:
        found = read('Student, Answer\ns1, "salt, then water"\ns2, ice\n')
        assert cells(found) == [("s1", "salt, then water"), ("s2", "ice")]

    def test_obeys_and_hides_excels_separator_line(self) -> None:
        found = read("sep=;\r\nStudent;Answer\r\ns1;a,b\r\n")
        assert found.headers == ("Student", "Answer")
        assert found.rows[0].number == 2


class TestRows:
    def test_numbers_count_records_as_a_spreadsheet_does(self) -> None:
        found = read('Student,Answer\r\ns1,"two\r\nlines, ""quoted"""\r\n\r\ns3,end\r\n')
        assert [(row.number, row.cells) for row in found.rows] == [
            (2, ("s1", 'two\r\nlines, "quoted"')),
            (3, ("", "")),
            (4, ("s3", "end")),
        ]

    def test_drops_blank_rows_at_the_end(self) -> None:
        assert len(read(PLAIN + ",,\r\n \r\n\r\n").rows) == 2

    def test_pads_short_rows(self) -> None:
        assert cells(read("a,b,c\n1\n1,2\n1,2,3\n")) == [("1", "", ""), ("1", "2", ""), ("1", "2", "3")]

    def test_keeps_and_reports_cells_beyond_the_last_column(self) -> None:
        found = read("Student,Answer\ns1,salt\ns2,first, then, last\ns3,water,\n")
        assert [row.extra for row in found.rows] == [0, 2, 0]
        assert found.rows[1].cells == ("s2", "first, then, last")
        assert "Row 3: more cells than the 2 columns" in found.notes[0]
        assert "save the file as XLSX" in found.notes[0]

    def test_reads_misplaced_quotes_and_names_the_row(self) -> None:
        found = read('Student,Answer\ns1,ok\ns2,"hot" water\ns3,fine\n')
        assert cells(found)[1:] == [("s2", "hot water"), ("s3", "fine")]
        assert "Row 3" in found.notes[0]
        assert "XLSX" in found.notes[0]

    def test_refuses_a_quote_that_swallows_rows(self) -> None:
        with pytest.raises(InvalidFile, match=r"Row 3: a quotation mark .* save the file as XLSX"):
            read('Student,Answer\ns1,ok\ns2,"hot water\ns3,fine\ns4,also\n')

    def test_reads_a_very_long_cell(self) -> None:
        assert len(read("Student,Answer\ns1," + "x" * 300_000 + "\n").rows[0].cells[1]) == 300_000


class TestHeaders:
    def test_makes_duplicates_distinct_and_names_blanks(self) -> None:
        found = read("Answer,Answer,,Answer (2),\n1,2,3,4,5\n")
        assert found.headers == ("Answer", "Answer (3)", "Column C", "Answer (2)", "Column E")
        assert found.header_cells == ("Answer", "Answer", "", "Answer (2)", "")

    def test_keeps_plain_duplicates_in_order(self) -> None:
        assert read("1.0,1.0,1.0\na,b,c\n").headers == ("1.0", "1.0 (2)", "1.0 (3)")

    def test_localised_and_multi_line_headers(self) -> None:
        found = read('Schüler,"12: Warum\n schmilzt Eis?",学号\n1,warm,3\n')
        assert found.headers == ("Schüler", "12: Warum schmilzt Eis?", "学号")

    def test_columns_without_a_name_count_when_most_rows_fill_them(self) -> None:
        assert read("Student,Answer\ns1,a,x\ns2,b,y\ns3,c,z\n").headers == ("Student", "Answer", "Column C")

    def test_steps_over_a_title(self) -> None:
        found = read("Class 7B,,\n,,\nStudent,Answer,Group\ns1,salt,x\n")
        assert found.headers == ("Student", "Answer", "Group")
        assert found.rows[0].number == 4
        assert "Row 3 was read as the column names" in found.notes[0]


class TestSize:
    def test_reads_50_000_rows_and_refuses_one_more(self) -> None:
        answer = "the salt dissolves because “warm” water moves faster, " * 3
        body = "".join(f's{n},Name {n},7B,"{answer}{n}",x\r\n' for n in range(50_000))
        text = "Student,Name,Class,Answer,Group\r\n" + body
        found = read(text)
        assert len(found.rows) == 50_000
        assert found.rows[-1].number == 50_001
        with pytest.raises(InvalidFile, match=r"more than 50,000 rows.*Split it into smaller files"):
            read(text + "one,more,row,here,x\r\n")

    def test_blank_rows_at_the_end_do_not_count(self) -> None:
        assert len(read_class_file("a.csv", PLAIN.encode() + b",\r\n" * 100, limit_rows=2).rows) == 2


def test_name_and_hash_are_the_files() -> None:
    found = read(PLAIN)
    assert found.name == "class.csv"
    assert found.sha256 == hashlib.sha256(PLAIN.encode()).hexdigest()
    assert (found.format, found.sheets, found.sheet) == ("csv", (), "")


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=40)


@settings(max_examples=200, deadline=None)
@given(
    table=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(TEXTS, min_size=width, max_size=width), min_size=1, max_size=8)
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_any_table_of_texts_comes_back_cell_for_cell(
    table: list[list[str]], encoding: str, delimiter: str, line_end: str, quoting: Literal[0, 1]
) -> None:
    table = [*table, ["end"] * len(table[0])]
    if line_end == "\r":
        # Python's writer leaves a lone LF unquoted in a file with CR line ends.
        quoting = csv.QUOTE_ALL
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerow([f"Header {n}" for n in range(len(table[0]))])
    writer.writerows(table)
    found = read_class_file("a.csv", stream.getvalue().encode(encoding))
    assert [list(row.cells) for row in found.rows] == table
    assert [row.number for row in found.rows] == list(range(2, len(table) + 2))


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_as_a_file(data: bytes) -> None:
    try:
        found = read_class_file("a.csv", data)
    except InvalidFile:
        return
    assert all(len(row.cells) == len(found.headers) for row in found.rows)
    assert len(set(found.headers)) == len(found.headers)
