"""Every kind of file that a class comes in, made from real bytes."""

import csv
import datetime as dt
import hashlib
import io
import time
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from scoring.errors import InvalidFile
from scoring.intake.reading import ClassFile, read_class_file

PLAIN = "Student,Answer\r\ns1,Salt dissolves\r\ns2,It melts\r\n"


def read(text: str, encoding: str = "utf-8") -> ClassFile:
    return read_class_file("class.csv", text.encode(encoding))


def cells(class_file: ClassFile) -> list[tuple[str, ...]]:
    return [row.cells for row in class_file.rows]


def xlsx(book: Workbook) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def sheet_of(*rows: list[object]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    return xlsx(book)


def edited(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """The same workbook with one piece of one part's XML replaced."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w") as target:
        for entry in source.infolist():
            body = source.read(entry)
            if entry.filename == part:
                assert old in body
                body = body.replace(old, new)
            target.writestr(entry.filename, body)
    return stream.getvalue()


def zipped(**parts: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in parts.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), body)
    return stream.getvalue()


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


class TestWorkbooks:
    def test_takes_the_first_visible_sheet_with_rows_and_lists_all(self) -> None:
        book = Workbook()
        book.active.title = "Empty"
        hidden = book.create_sheet("Secret")
        hidden.append(["Student", "Answer"])
        hidden.append(["x", "y"])
        hidden.sheet_state = "hidden"
        for title in ("Period 1", "Period 2"):
            sheet = book.create_sheet(title)
            sheet.append(["Student", "Answer"])
            sheet.append([title, "salt"])
        data = xlsx(book)
        found = read_class_file("a.xlsx", data)
        assert (found.format, found.sheet) == ("xlsx", "Period 1")
        assert found.sheets == ("Empty", "Secret", "Period 1", "Period 2")
        assert "Sheet “Period 1” was read" in found.notes[0]
        assert read_class_file("a.xlsx", data, sheet="Period 2").rows[0].cells == ("Period 2", "salt")
        with pytest.raises(InvalidFile, match=r"no sheet “Period 9”. Choose one of: “Empty”, “Secret”"):
            read_class_file("a.xlsx", data, sheet="Period 9")

    def test_says_that_the_answers_may_be_on_a_hidden_sheet(self) -> None:
        book = Workbook()
        hidden = book.create_sheet("Secret")
        hidden.append(["a"])
        hidden.sheet_state = "hidden"
        with pytest.raises(InvalidFile, match="hidden: Secret; unhide it"):
            read_class_file("a.xlsx", xlsx(book))

    def test_shows_numbers_and_dates_as_text(self) -> None:
        book = Workbook()
        book.active.append(["a"] * 9)
        moment = dt.datetime(2024, 3, 1, 10, 20)
        values = [12.0, 2.5, 0.1 + 0.2, 123456789012, True, dt.datetime(2024, 3, 1), moment, 7, 0.25]
        book.active.append(values)
        book.active["H2"].number_format = "000"
        book.active["I2"].number_format = "0%"
        assert read_class_file("a.xlsx", xlsx(book)).rows[0].cells == (
            "12", "2.5", "0.3", "123456789012", "TRUE", "2024-03-01", "2024-03-01 10:20:00", "007", "25%",
        )  # fmt: skip

    def test_shows_formulas_without_a_saved_result_and_says_where(self) -> None:
        found = read_class_file("a.xlsx", sheet_of(["Student", "Answer"], ["s1", "=1+1"], ["s2", "salt"]))
        assert cells(found) == [("s1", "=1+1"), ("s2", "salt")]
        assert "Formulas without a saved result (B2)" in found.notes[0]
        assert "open the file in Excel, save it" in found.notes[0]

    def test_uses_the_saved_result_of_a_formula(self) -> None:
        data = sheet_of(["Student", "Answer"], ["s1", "=1+1"], ["s2", '=""'])
        part = "xl/worksheets/sheet1.xml"
        data = edited(data, part, b"<f>1+1</f><v /></c>", b"<f>1+1</f><v>2</v></c>")
        data = edited(data, part, b'<c r="B3"><f>""</f><v />', b'<c r="B3" t="str"><f>""</f><v></v>')
        found = read_class_file("a.xlsx", data)
        assert cells(found) == [("s1", "2"), ("s2", "")]
        assert not found.notes

    def test_gives_merged_cells_their_value_in_each_row(self) -> None:
        book = Workbook()
        for row in (["Student", "Answer"], ["s1", "first"], [None, "second"], ["s2", "third"]):
            book.active.append(row)
        book.active.merge_cells("A2:A3")
        found = read_class_file("a.xlsx", xlsx(book))
        assert cells(found) == [("s1", "first"), ("s1", "second"), ("s2", "third")]
        assert "Merged cells (A2:A3)" in found.notes[0]

    def test_steps_over_a_merged_title(self) -> None:
        book = Workbook()
        for row in (["Class 7B"], ["Student", "Answer"], ["s1", "salt"]):
            book.active.append(row)
        book.active.merge_cells("A1:B1")
        found = read_class_file("a.xlsx", xlsx(book))
        assert (found.headers, found.rows[0].number) == (("Student", "Answer"), 3)

    def test_row_numbers_are_the_sheets_own(self) -> None:
        book = Workbook()
        book.active["A1"], book.active["B1"] = "Student", "Answer"
        book.active["A5"], book.active["B5"] = "s1", "salt"
        found = read_class_file("a.xlsx", xlsx(book))
        assert [(row.number, any(row.cells)) for row in found.rows] == [
            (2, False), (3, False), (4, False), (5, True),
        ]  # fmt: skip

    def test_escaped_returns_become_line_breaks(self) -> None:
        found = read_class_file("a.xlsx", sheet_of(["Student", "Answer"], ["s1", "one_x000D_\ntwo"]))
        assert found.rows[0].cells[1] == "one\ntwo"

    def test_does_not_trust_the_declared_size(self) -> None:
        data = sheet_of(["Student", "Answer"], ["s1", "salt"], ["s2", "water"])
        data = edited(data, "xl/worksheets/sheet1.xml", b'ref="A1:B3"', b'ref="A1:A1"')
        assert len(read_class_file("a.xlsx", data).rows) == 2

    def test_stops_at_the_row_limit_of_a_sheet_filled_to_the_end(self) -> None:
        book = Workbook()
        book.active.append(["Student", "Answer"])
        book.active["A1048576"] = "x"
        with pytest.raises(InvalidFile, match="more than 50,000 rows"):
            read_class_file("a.xlsx", xlsx(book))

    @pytest.mark.parametrize("cut", [30, 400, 2000])
    def test_refuses_a_cut_off_workbook(self, cut: int) -> None:
        with pytest.raises(InvalidFile, match=r"damaged.* upload the new file"):
            read_class_file("a.xlsx", sheet_of(["a"], ["b"])[:cut])

    def test_refuses_a_workbook_with_broken_xml(self) -> None:
        data = edited(sheet_of(["a"], ["b"]), "xl/worksheets/sheet1.xml", b"</sheetData>", b"</oops>")
        with pytest.raises(InvalidFile, match=r"damaged.*save it again as XLSX or CSV"):
            read_class_file("a.xlsx", data)

    def test_refuses_entities_that_multiply(self) -> None:
        lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{lol}]>'.encode()
        data = edited(sheet_of(["a"], ["b"]), "xl/worksheets/sheet1.xml", b"<worksheet", bomb + b"<worksheet")
        data = edited(data, "xl/worksheets/sheet1.xml", b"<t>b</t>", b"<t>&l9;</t>")
        with pytest.raises(InvalidFile, match="damaged"):
            read_class_file("a.xlsx", data)


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "found"),
        [
            (b"%PDF-1.7\n%...", "a PDF document"),
            (b"{\\rtf1 hello}", "a rich text"),
            (b"\x89PNG\r\n\x1a\n....", "a picture"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "Workbook".encode("utf-16-le"), "an old Excel file"),
            (
                b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"),
                "an old Word document",
            ),
            (zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet"), r"\(\.ods\)"),
            (zipped(word__document_dot_xml="<w/>"), r"a Word document \(\.docx\)"),
            (zipped(ppt__slides="<p/>"), "a PowerPoint file"),
            (zipped(xl__workbook_dot_bin="x"), r"\.xlsb"),
            (zipped(Index__Document_dot_iwa="x"), "an Apple Numbers"),
            (zipped(answers_dot_csv=PLAIN), r"“answers.csv” in it \(unpack it"),
            (b"<html><table><tr><td>Student</td></tr></table></html>", "a web page"),
            (b'<?xml version="1.0"?><Workbook/>', "an XML file"),
            (b'[{"student": "s1", "answer": "salt"}]', "a JSON file"),
            (bytes(range(1, 256)) * 40, "not text"),
        ],
    )
    def test_names_what_was_found_and_the_remedy(self, data: bytes, found: str) -> None:
        with pytest.raises(InvalidFile, match=f"“work.csv” is .*{found}") as caught:
            read_class_file("work.csv", data)
        assert "as CSV or XLSX" in str(caught.value)

    def test_password_protected_workbook(self) -> None:
        data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le")
        with pytest.raises(InvalidFile, match=r"protected with a password.* remove the password"):
            read_class_file("a.xlsx", data)

    def test_zip_bomb_is_refused_before_it_is_opened(self) -> None:
        data = sheet_of(["a"], ["b"])
        stream = io.BytesIO(data)
        with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/media/filler.bin", b"\0" * (310 * 1024 * 1024))
        started = time.perf_counter()
        with pytest.raises(InvalidFile, match=r"unpacks from .* to 310 MB.*the limit is 300 MB.*new sheet"):
            read_class_file("a.xlsx", stream.getvalue())
        assert time.perf_counter() - started < 1

    def test_repetitive_ratio_is_refused(self) -> None:
        stream = io.BytesIO(sheet_of(["a"], ["b"]))
        with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/media/filler.bin", b"\0" * (30 * 1024 * 1024))
        with pytest.raises(InvalidFile, match="unpacks from"):
            read_class_file("a.xlsx", stream.getvalue())

    @pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b" \r\n\t\r\n", b",,,\r\n,,\r\n"])
    def test_empty_file(self, data: bytes) -> None:
        with pytest.raises(InvalidFile, match=r"“a.csv” is empty.*Upload the file"):
            read_class_file("a.csv", data)

    def test_empty_workbook(self) -> None:
        with pytest.raises(InvalidFile, match=r"empty: every visible sheet has no filled cell"):
            read_class_file("a.xlsx", sheet_of())

    @pytest.mark.parametrize("data", [b"Student,Answer\r\n,,\r\n", sheet_of(["Student", "Answer"])])
    def test_header_only(self, data: bytes) -> None:
        with pytest.raises(InvalidFile, match=r"only a header row \(Student, Answer\) and no rows below it"):
            read_class_file("a", data)

    def test_too_many_bytes_names_size_and_limit(self) -> None:
        with pytest.raises(InvalidFile, match=r"has 60 MB; the limit is 50 MB.*Split it"):
            read_class_file("a.csv", b"Student,Answer\n" + b"x" * (60 * 1024 * 1024 - 15))

    def test_too_many_columns(self) -> None:
        with pytest.raises(InvalidFile, match="2,000 columns wide"):
            read(",".join(f"c{n}" for n in range(2000)) + "\n" + "x," * 1999 + "x\n")


class TestSize:
    def test_reads_50_000_rows_fast_and_refuses_one_more(self) -> None:
        answer = "the salt dissolves because “warm” water moves faster, " * 3
        body = "".join(f's{n},Name {n},7B,"{answer}{n}",x\r\n' for n in range(50_000))
        text = "Student,Name,Class,Answer,Group\r\n" + body
        started = time.perf_counter()
        found = read(text)
        assert time.perf_counter() - started < 3
        assert len(found.rows) == 50_000
        assert found.rows[-1].number == 50_001
        with pytest.raises(InvalidFile, match=r"more than 50,000 rows.*Split it into smaller files"):
            read(text + "one,more,row,here,x\r\n")

    def test_workbook_at_and_over_the_row_limit(self) -> None:
        rows: list[list[object]] = [["Student", "Answer"], *(["s", "salt"] for _ in range(20))]
        assert len(read_class_file("a.xlsx", sheet_of(*rows), limit_rows=20).rows) == 20
        with pytest.raises(InvalidFile, match="more than 19 rows"):
            read_class_file("a.xlsx", sheet_of(*rows), limit_rows=19)

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
    table: list[list[str]], encoding: str, delimiter: str, line_end: str, quoting: int
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
