"""Workbooks as teachers save them, and every file that is refused, with what it was and the remedy."""

import datetime as dt
import io
import zipfile

import pytest
from openpyxl import Workbook

from scoring.errors import InvalidFile
from scoring.intake.reading import ClassFile, read_class_file

PLAIN = "Student,Answer\r\ns1,Salt dissolves\r\ns2,It melts\r\n"


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

    def test_workbook_at_and_over_the_row_limit(self) -> None:
        row: list[object] = ["s", "salt"]
        rows = [row] * 21
        assert len(read_class_file("a.xlsx", sheet_of(*rows), limit_rows=20).rows) == 20
        with pytest.raises(InvalidFile, match="more than 19 rows"):
            read_class_file("a.xlsx", sheet_of(*rows), limit_rows=19)


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

    def test_zip_bomb_is_refused_before_it_is_unpacked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = sheet_of(["a"], ["b"])
        stream = io.BytesIO(data)
        with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/media/filler.bin", b"\0" * (310 * 1024 * 1024))
        monkeypatch.setattr(zipfile.ZipFile, "open", None)  # would fail if it were called
        with pytest.raises(InvalidFile, match=r"unpacks from .* to 310 MB.*the limit is 300 MB.*new sheet"):
            read_class_file("a.xlsx", stream.getvalue())

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
        data = (",".join(f"c{n}" for n in range(2000)) + "\n" + "x," * 1999 + "x\n").encode()
        with pytest.raises(InvalidFile, match="2,000 columns wide"):
            read_class_file("a.csv", data)
