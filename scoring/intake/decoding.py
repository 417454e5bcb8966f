"""From bytes to text: the encodings that spreadsheet programs and learning platforms really write."""

from __future__ import annotations

import re
from dataclasses import dataclass

from charset_normalizer import from_bytes

from scoring.intake.kinds import refusal

_BOMS: tuple[tuple[bytes, str], ...] = (
    # UTF-32 first: its little-endian mark begins with UTF-16's.
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_SAMPLE_BYTES = 65_536
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_CONTROL = re.compile("[\x01-\x08\x0e-\x1f\x7f]")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
_PLAIN_NAMES = {"cp1252": "Windows-1252", "mac_roman": "Mac Roman", "cp1251": "Windows-1251"}


@dataclass(frozen=True)
class Decoded:
    """A file's text, the Python codec it was read with, and what the person should know."""

    text: str
    encoding: str
    notes: tuple[str, ...] = ()


def decode(name: str, data: bytes) -> Decoded:
    """Decode the bytes of a text file; NUL characters are taken out and noted.

    Raises:
        InvalidFile: the bytes are not text in any encoding.
    """
    decoded = _decode(data)
    sample = decoded.text[:_SAMPLE_BYTES]
    controls, nuls = len(_CONTROL.findall(sample)), sample.count("\0")
    if controls > max(8, len(sample) // 50) or nuls * 2 > len(sample):
        raise refusal(name, "not text (it holds bytes that no spreadsheet writes)")
    nuls = decoded.text.count("\0")
    if not nuls:
        return decoded
    note = f"{nuls:,} NUL character{'s' if nuls > 1 else ''} (invisible, written by mistake) left out."
    return Decoded(decoded.text.replace("\0", ""), decoded.encoding, (*decoded.notes, note))


def _decode(data: bytes) -> Decoded:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _with_mark(data[len(mark) :], encoding)
    bare = _utf16_without_mark(data)
    if bare:
        return _with_mark(data, bare)
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return _mended_utf8(data) or _legacy(data)


def _with_mark(body: bytes, encoding: str) -> Decoded:
    codec = "utf-8" if encoding == "utf-8-sig" else encoding
    try:
        return Decoded(body.decode(codec), encoding)
    except UnicodeDecodeError:
        note = "Some characters are damaged and show as �. Save the file again if they matter."
        return _mended_utf8(body) or Decoded(body.decode(codec, "replace"), encoding, (note,))


def _utf16_without_mark(data: bytes) -> str | None:
    """UTF-16 shows as NULs on one side of each pair: ASCII, at least in separators and line ends.

    Stray NULs in other files fall on both sides or are too few.
    """
    sample = data[: _SAMPLE_BYTES - 1 if len(data) % 2 else _SAMPLE_BYTES]
    sample = sample[: len(sample) // 2 * 2]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    most, least = max(even, odd), min(even, odd)
    if most < 3 or most < len(sample) // 2 * 0.02 or least > most * 0.05:
        return None
    encoding = "utf-16-be" if even > odd else "utf-16-le"
    text = sample.decode(encoding, "replace")
    has_line_end = "\n" in text or "\r" in text
    return encoding if has_line_end and text.count("�") * 100 <= len(text) else None


def _mended_utf8(data: bytes) -> Decoded | None:
    """UTF-8 with a few foreign bytes pasted in; `None` when it is not mostly UTF-8."""
    text = data.decode("utf-8", "surrogateescape")
    broken = len(_ESCAPED_BYTE.findall(text))
    sound = sum(1 for character in text[:1_000_000] if character > "\x7f") - broken
    if sound <= broken * 2:
        return None
    mended = _ESCAPED_BYTE.sub(lambda m: bytes([ord(m[0]) - 0xDC00]).decode("cp1252", "replace"), text)
    note = (
        f"{broken:,} byte{'s' if broken > 1 else ''} did not fit the file's encoding (UTF-8) and "
        "were read as Windows-1252; look at the accents in the preview."
    )
    return Decoded(mended, "utf-8", (note,))


def _legacy(data: bytes) -> Decoded:
    encoding = _legacy_encoding(data)
    text = data.decode(encoding, "replace")
    note = (
        f"The file's accents were read as {_PLAIN_NAMES.get(encoding, encoding)}. If they look wrong in the "
        "preview, save the file as “CSV UTF-8” and upload it again."
    )
    return Decoded(text, encoding, (note,))


def _legacy_encoding(data: bytes) -> str:
    """The single-byte or East Asian encoding that the lines with non-ASCII bytes are in.

    Statistics alone mistake a class's few smart quotes for Central European letters, so Western text,
    whose high bytes stand alone among ASCII letters, is decided by that.
    """
    lines = re.split(rb"[\r\n]+", data)
    sample = b"\n".join(line for line in lines if not line.isascii())[:_SAMPLE_BYTES]
    runs = _HIGH_RUN.findall(sample)
    western = sample.decode("cp1252", "replace")
    if len(re.findall("[A-Za-z]Õ[a-z]", western)) > len(runs) // 10:
        return "mac_roman"
    symbols_in_words = len(re.findall("[a-z][¡-¿×÷][a-z]", western))
    mean_run = sum(map(len, runs)) / max(1, len(runs))
    if mean_run < 2.2 and "�" not in western and symbols_in_words <= len(runs) // 10:
        return "cp1252"
    best = from_bytes(sample).best()
    if best is None or best.encoding.startswith(("utf", "ascii")):
        return "cp1252"
    return str(best.encoding)
