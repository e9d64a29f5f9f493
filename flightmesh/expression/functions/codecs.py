"""Text functions that no array kernel computes: hashes, encodings, distances, paths. Each runs once for each distinct value of
a batch.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
import urllib.parse
from decimal import Decimal

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression.functions.declare import Failure, ScalarFunction
from flightmesh.expression.functions.entries import compute, entry
from flightmesh.expression.functions.vary import per_distinct

_MAY = Failure.MAY


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _hex(value: str | bytes | int | Decimal) -> str:
    if isinstance(value, (str, bytes)):
        return _bytes(value).hex().upper()
    number = int(value)
    width = 128 if isinstance(value, Decimal) else 64
    return f"{number if number >= 0 else number + (1 << width):X}"


def _bin(value: str | int | Decimal) -> str:
    if isinstance(value, str):
        return "".join(f"{byte:08b}" for byte in value.encode())
    number = int(value)
    width = 128 if isinstance(value, Decimal) else 64
    return f"{number if number >= 0 else number + (1 << width):b}"


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)
    except ValueError:
        raise DataError(f"{text!r} is not hexadecimal") from None


def _unbin(text: str) -> bytes:
    if not re.fullmatch("[01]*", text):
        raise DataError(f"{text!r} is not binary")
    size = (len(text) + 7) // 8
    return int(text or "0", 2).to_bytes(size, "big")


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise DataError(f"{text!r} is not base64") from None


def _decode(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise DataError("the blob is not UTF-8 text") from None


_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _to_base(number: int, radix: int, width: int = 0) -> str:
    if number < 0:
        raise DataError("to_base needs a number of at least 0")
    if not 2 <= radix <= 36:
        raise DataError("to_base needs a radix from 2 to 36")
    if not 0 <= width <= 64:
        raise DataError("to_base needs a width from 0 to 64")
    out = ""
    while True:
        number, digit = divmod(number, radix)
        out = _DIGITS[digit] + out
        if number == 0:
            return out.rjust(width, "0")


def _levenshtein(left: str | bytes, right: str | bytes) -> int:
    a, b = _bytes(left), _bytes(right)
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def _damerau_levenshtein(left: str, right: str) -> int:
    """With transpositions that later edits may cross (unrestricted)."""
    a, b = left.encode(), right.encode()
    most = len(a) + len(b)
    table = [[most] * (len(b) + 2) for _ in range(len(a) + 2)]
    for i in range(len(a) + 1):
        table[i + 1][1] = i
    for j in range(len(b) + 1):
        table[1][j + 1] = j
    last_row: dict[int, int] = {}
    for i, x in enumerate(a, 1):
        last_column = 0
        for j, y in enumerate(b, 1):
            row, column = last_row.get(y, 0), last_column
            cost = int(x != y)
            if not cost:
                last_column = j
            table[i + 1][j + 1] = min(
                table[i][j] + cost,
                table[i + 1][j] + 1,
                table[i][j + 1] + 1,
                table[row][column] + (i - row - 1) + 1 + (j - column - 1),
            )
        last_row[x] = i
    return table[-1][-1]


def _hamming(left: str, right: str) -> int:
    a, b = left.encode(), right.encode()
    if len(a) != len(b) or not a:
        raise DataError("hamming needs texts of equal length that are not empty")
    return sum(x != y for x, y in zip(a, b, strict=True))


def _jaccard(left: str, right: str) -> float:
    if not left or not right:
        raise DataError("jaccard needs texts that are not empty")
    a, b = set(left.encode()), set(right.encode())
    return len(a & b) / len(a | b)


def _jaro(left: str, right: str) -> float:
    a, b = left.encode(), right.encode()
    if not a or not b:
        return 0.0
    reach = max(max(len(a), len(b)) // 2 - 1, 0)
    taken = [False] * len(b)
    first: list[int] = []
    for i, x in enumerate(a):
        for j in range(max(0, i - reach), min(len(b), i + reach + 1)):
            if not taken[j] and b[j] == x:
                taken[j] = True
                first.append(x)
                break
    if not first:
        return 0.0
    second = [y for y, used in zip(b, taken, strict=True) if used]
    swaps = sum(x != y for x, y in zip(first, second, strict=True)) // 2
    hits = len(first)
    return (hits / len(a) + hits / len(b) + (hits - swaps) / hits) / 3


def _jaro_winkler(left: str, right: str) -> float:
    similarity = _jaro(left, right)
    if similarity <= 0.7:
        return similarity
    start = 0
    for x, y in zip(left.encode()[:4], right.encode()[:4], strict=False):
        if x != y:
            break
        start += 1
    return similarity + start * 0.1 * (1 - similarity)


def _strip_accents(text: str) -> str:
    return unicodedata.normalize("NFC", "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)))


def _translate(text: str, old: str, new: str) -> str:
    table: dict[int, str | None] = {}
    for index, character in enumerate(old):
        table.setdefault(ord(character), new[index] if index < len(new) else None)
    return text.translate(table)


def _format_bytes(count: int) -> str:
    magnitude = abs(count)
    sign = "-" if count < 0 else ""
    if magnitude < 1024:
        return f"{sign}{magnitude} byte{'' if magnitude == 1 else 's'}"
    for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"), 1):
        if magnitude < 1024 ** (power + 1):
            whole, rest = divmod(magnitude // 1024 ** (power - 1), 1024)
            return f"{sign}{whole}.{rest * 10 // 1024} {unit}"
    raise DataError("too many bytes")


def _filename(path: str, trim: bool = False) -> str:
    name = re.split(r"[/\\]", path)[-1]
    return name[: name.rindex(".")] if trim and "." in name else name


def _dirpath(path: str) -> str:
    last = max(path.rfind("/"), path.rfind("\\"))
    return "" if last < 0 else path[:last] if last else path[:1]


def _dirname(path: str) -> str:
    parts = re.split(r"[/\\]", path)
    if len(parts) == 1:
        return ""
    return parts[0] or "/"


def _url_encode(text: str) -> str:
    return urllib.parse.quote(text, safe="-_.~")


def _bar(value: float, low: float, high: float, width: float = 80) -> str:
    if not low < high:
        raise DataError("bar needs a smallest value below the largest")
    if not 1 <= width <= 1000:
        raise DataError("bar needs a width from 1 to 1000")
    eighths = int((min(max(value, low), high) - low) / (high - low) * width * 8)
    whole, part = divmod(eighths, 8)
    return ("\u2588" * whole + " \u258f\u258e\u258d\u258c\u258b\u258a\u2589"[part] * (part > 0)).ljust(int(width))


def _text(
    name: str, doc: str, signatures: tuple[str, ...], function: object, *aliases: str, failure: Failure = Failure.NEVER
) -> ScalarFunction:
    return entry("string", name, doc, signatures, per_distinct(function), aliases=aliases, failure=failure)  # type: ignore[arg-type]


_DISTANCE = ("text, text -> long",)
_SIMILARITY = ("text, text -> double",)

FUNCTIONS: tuple[ScalarFunction, ...] = (
    _text("md5", "The MD5 hash in hexadecimal.", ("text -> text", "blob -> text"),
          lambda v: hashlib.md5(_bytes(v)).hexdigest()),
    _text("sha1", "The SHA-1 hash in hexadecimal.", ("text -> text", "blob -> text"),
          lambda v: hashlib.sha1(_bytes(v)).hexdigest()),
    _text("sha256", "The SHA-256 hash in hexadecimal.", ("text -> text", "blob -> text"),
          lambda v: hashlib.sha256(_bytes(v)).hexdigest()),
    _text("hex", "Bytes or an integer in hexadecimal.", ("text -> text", "blob -> text", "long -> text", "ulong -> text",
                                                         "huge -> text"), _hex,
          "to_hex"),
    _text("bin", "Bytes or an integer in binary.", ("text -> text", "long -> text", "ulong -> text", "huge -> text"), _bin,
          "to_binary"),
    _text("to_base", "A number in another base, filled with zeros to a width.", ("long, int -> text",
                                                                                 "long, int, int -> text"), _to_base,
          failure=_MAY),
    _text("unhex", "The bytes that hexadecimal text stands for.", ("text -> blob",), _unhex, "from_hex", failure=_MAY),
    _text("unbin", "The bytes that binary text stands for.", ("text -> blob",), _unbin, "from_binary", failure=_MAY),
    _text("to_base64", "Bytes as base64.", ("blob -> text",), lambda v: base64.b64encode(v).decode(), "base64"),
    _text("from_base64", "The bytes that base64 text stands for.", ("text -> blob",), _from_base64, failure=_MAY),
    entry("string", "encode", "The text's UTF-8 bytes.", ("text -> blob",), compute(lambda v: v.cast("binary"))),
    _text("decode", "UTF-8 bytes as text.", ("blob -> text",), _decode, failure=_MAY),
    _text("url_encode", "The text with reserved characters percent-encoded.", ("text -> text",), _url_encode),
    _text("url_decode", "The text with percent-encoding undone.", ("text -> text",), urllib.parse.unquote),
    _text("levenshtein", "Edits (of bytes) between the texts.", _DISTANCE, _levenshtein, "editdist3"),
    _text("damerau_levenshtein", "Edits and swaps of neighbours (of bytes) between the texts.", _DISTANCE,
          _damerau_levenshtein),
    _text("hamming", "Bytes that differ between texts of equal length.", _DISTANCE, _hamming, "mismatches", failure=_MAY),
    _text("jaccard", "Shared bytes by all bytes of both texts.", _SIMILARITY, _jaccard, failure=_MAY),
    _text("jaro_similarity", "The Jaro similarity, 0 to 1.", _SIMILARITY, _jaro),
    _text("jaro_winkler_similarity", "The Jaro-Winkler similarity, 0 to 1.", _SIMILARITY, _jaro_winkler),
    _text("strip_accents", "The text without accents.", ("text -> text",), _strip_accents),
    entry("string", "nfc_normalize", "The text in Unicode normal form C.", ("text -> text",), compute(pc.utf8_normalize,
        "NFC")),
    _text("translate", "Each character of the second text replaced by that of the third, or left out.",
          ("text, text, text -> text",), _translate),
    _text("format_bytes", "A number of bytes for people, in KiB, MiB, ...", ("long -> text",), _format_bytes),
    _text("parse_filename", "The last part of a path; with true, without its extension.", ("text -> text",
        "text, bool -> text"), _filename),
    _text("parse_dirname", "The first part of a path.", ("text -> text",), _dirname),
    _text("parse_dirpath", "A path without its last part.", ("text -> text",), _dirpath),
    _text("bar", "A bar of a length between two values, as text.", ("double, double, double -> text",
                                                                    "double, double, double, double -> text"),
          _bar, failure=_MAY),
)  # fmt: skip
