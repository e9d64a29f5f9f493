"""Text functions with kernels of pyarrow. Positions and lengths count characters (code points), from 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression.arrays import from_values, numeric_values, validity_buffer
from flightmesh.expression.casts import castable
from flightmesh.expression.functions import likes
from flightmesh.expression.functions.declare import Binding, Datum, Failure, Nulls, Request, ScalarFunction
from flightmesh.expression.functions.entries import compute, entry
from flightmesh.expression.functions.search import contains
from flightmesh.expression.functions.vary import with_constants
from flightmesh.expression.nodes import Expression
from flightmesh.expression.types import Family, family

_TEXT = pa.string()
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_LONGEST_PAD = 1 << 20


def substring(text: pa.Array, start: int, length: int | None = None) -> pa.Array:
    """Characters from `start` (1-based; negative counts from the end), `length` of them (negative: before it)."""
    if length is None:
        return pc.utf8_slice_codeunits(text, start=start - 1 if start > 0 else start)
    if start == 0:
        start, length = 1, length - 1
        if length <= 0:
            return pc.utf8_slice_codeunits(text, start=0, stop=0)
    if length >= 0:
        if start > 0:
            return pc.utf8_slice_codeunits(text, start=start - 1, stop=start - 1 + length)
        return pc.utf8_slice_codeunits(text, start=start, stop=start + length if start + length < 0 else None)
    before = pc.utf8_slice_codeunits(text, start=0, stop=start - 1 if start > 0 else start)
    return pc.utf8_slice_codeunits(before, start=length)


def left(text: pa.Array, count: int) -> pa.Array:
    """The first `count` characters; negative: all but the last."""
    return pc.utf8_slice_codeunits(text, start=0, stop=count)


def right(text: pa.Array, count: int) -> pa.Array:
    """The last `count` characters; negative: all but the first."""
    if count == 0:
        return pc.utf8_slice_codeunits(text, start=0, stop=0)
    return pc.utf8_slice_codeunits(text, start=-count)


def _padding(text: pa.Array, width: int, pad: str) -> tuple[pa.Array, pa.Array]:
    """The texts cut to `width`, and the padding each lacks."""
    if width > _LONGEST_PAD:
        raise DataError(f"a padded text may have at most {_LONGEST_PAD} characters")
    width = max(width, 0)
    cut = left(text, width)
    missing = pc.subtract(pa.scalar(width, pa.int32()), pc.utf8_length(cut))
    most = pc.max(missing).as_py() or 0
    if most and not pad:
        raise DataError("cannot pad with an empty text")
    whole = pad * (most // max(len(pad), 1) + 1)
    return cut, pa.array([whole[:size] for size in range(most + 1)], _TEXT).take(missing)


def lpad(text: pa.Array, width: int, pad: str) -> pa.Array:
    """The text cut or filled on the left to `width` characters."""
    cut, padding = _padding(text, width, pad)
    return pc.binary_join_element_wise(padding, cut, "")


def rpad(text: pa.Array, width: int, pad: str) -> pa.Array:
    """The text cut or filled on the right to `width` characters."""
    cut, padding = _padding(text, width, pad)
    return pc.binary_join_element_wise(cut, padding, "")


def replace(text: pa.Array, old: str, new: str) -> pa.Array:
    """Every `old` replaced."""
    return text if not old else pc.replace_substring(text, pattern=old, replacement=new)


def position(text: pa.Array, needle: str) -> pa.Array:
    """Where `needle` first stands, in characters from 1; 0 if nowhere."""
    at = pc.find_substring(text, pattern=needle)
    if pc.all(pc.string_is_ascii(text)).as_py() is not False:
        return pc.add(at.cast(pa.int64()), pa.scalar(1, pa.int64()))
    found = pc.greater_equal(at, pa.scalar(0, pa.int32()))
    before = (
        pc.list_element(pc.split_pattern(text, pattern=needle, max_splits=1), 0)
        if needle
        else pc.utf8_slice_codeunits(text, 0, 0)
    )
    place = pc.add(pc.utf8_length(before).cast(pa.int64()), pa.scalar(1, pa.int64()))
    return pc.if_else(found, place, pa.scalar(0, pa.int64()))


def split_part(text: pa.Array, separator: str, index: int) -> pa.Array:
    """The part number `index` (from 1; negative from the end) between separators; empty where there is none."""
    if not separator:
        return substring(text, index, 1 if index else 0)
    lists = pc.split_pattern(text, pattern=separator)
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.combine_chunks()
    offsets = np.asarray(lists.offsets).astype(np.int64)
    place = offsets[:-1] + index - 1 if index > 0 else offsets[1:] + index
    outside = (place < offsets[:-1]) | (place >= offsets[1:]) | (index == 0)
    parts = lists.values.take(pa.array(np.where(outside, 0, place), mask=outside))
    filled = pc.fill_null(parts, "")
    return pc.if_else(text.is_valid(), filled, pa.scalar(None, _TEXT)) if text.null_count else filled


def _trimmed(function: Any) -> Any:
    return with_constants(1, lambda text, characters=_SPACES: function(text, characters=characters) if characters else text)


def _concat(args: tuple[Datum, ...], request: Request) -> Datum:
    """NULLs as empty texts; the join's own null handling drops rows where every argument is NULL (pyarrow 26)."""
    filled = [pc.coalesce(arg, pa.scalar("", _TEXT)) for arg in args]
    return filled[0] if len(filled) == 1 else pc.binary_join_element_wise(*filled, "")


def _concat_operator(args: tuple[Datum, ...], request: Request) -> Datum:
    return pc.binary_join_element_wise(*args, pa.scalar("", _TEXT).cast(request.type))


def _concat_ws(args: tuple[Datum, ...], request: Request) -> Datum:
    separator, first, *rest = args
    result = first
    for part in rest:
        joined = pc.coalesce(pc.binary_join_element_wise(result, part, separator), part)
        result = pc.coalesce(joined, result)
    return pc.if_else(pc.is_valid(separator), pc.coalesce(result, pa.scalar("", _TEXT)), pa.scalar(None, _TEXT))


def _texts(args: Sequence[Expression]) -> Binding | None:
    """Any number of values of any type, as text."""
    if not args or not all(castable(arg.type, _TEXT) for arg in args):
        return None
    return Binding((_TEXT,) * len(args), _TEXT)


def _separated(args: Sequence[Expression]) -> Binding | None:
    found = _texts(args)
    return found if len(args) >= 2 and family(args[0].type) in (Family.STRING, Family.NULL) else None


def _two_texts(args: Sequence[Expression]) -> Binding | None:
    if len(args) == 2 and all(family(arg.type) is Family.BINARY for arg in args):
        return Binding((pa.binary(), pa.binary()), pa.binary())
    return _texts(args) if len(args) == 2 else None


def _repeat(args: tuple[Datum, ...], request: Request) -> Datum:
    text, count = args
    count = pc.max_element_wise(count, pa.scalar(0, pa.int64()), skip_nulls=False)
    return pc.binary_repeat(text, count)


def _bits(args: tuple[Datum, ...], request: Request) -> Datum:
    return pc.multiply(pc.binary_length(args[0]).cast(pa.int64()), pa.scalar(8, pa.int64()))


def _negated(kernel: Any) -> Any:
    return lambda args, request: pc.invert(kernel(args, request))


_like, _ilike = with_constants(1, likes.like), with_constants(1, likes.ilike)
_MATCH = ("text, text -> bool",)
_MATCH_ESCAPED = ("text, text, text -> bool",)


def first_code(text: pa.Array, empty: int) -> pa.Array:
    """The code point of the first character; `empty` for an empty text."""
    raw = text.cast(pa.binary())
    count = len(raw)
    lengths = np.asarray(pc.fill_null(pc.binary_length(raw), 0))
    offsets = np.frombuffer(raw.buffers()[1], np.int32, count=count + 1, offset=4 * raw.offset)[:-1].astype(np.int64)
    data = raw.buffers()[2]
    memory = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    padded = np.concatenate((memory, np.zeros(4, np.uint8)))
    b0, b1, b2, b3 = (padded[np.minimum(offsets + k, len(padded) - 1)].astype(np.int32) for k in range(4))
    code = np.where(
        b0 < 0x80,
        b0,
        np.where(
            b0 < 0xE0,
            (b0 & 0x1F) << 6 | b1 & 0x3F,
            np.where(
                b0 < 0xF0,
                (b0 & 0x0F) << 12 | (b1 & 0x3F) << 6 | b2 & 0x3F,
                (b0 & 0x07) << 18 | (b1 & 0x3F) << 12 | (b2 & 0x3F) << 6 | b3 & 0x3F,
            ),
        ),
    )
    return from_values(np.where(lengths == 0, empty, code).astype(np.int32), pa.int32(), validity_buffer(text))


def _code_kernel(empty: int) -> Any:
    return with_constants(1, lambda text: first_code(text, empty))


def character(codes: pa.Array) -> pa.Array:
    """The character of each code point."""
    values = numeric_values(codes.fill_null(65) if codes.null_count else codes).astype(np.int64)
    if ((values < 0) | (values > 0x10FFFF) | ((values >= 0xD800) & (values < 0xE000))).any():
        raise DataError("chr needs a code point between 0 and 1114111")
    encoded = pa.array(values).dictionary_encode()
    table = pa.array([chr(code) for code in encoded.dictionary.to_pylist()], _TEXT)
    found = table.take(encoded.indices)
    return pc.if_else(codes.is_valid(), found, pa.scalar(None, _TEXT)) if codes.null_count else found


def _text(
    name: str, doc: str, signatures: tuple[str, ...], kernel: Any, *aliases: str, failure: Failure = Failure.NEVER
) -> ScalarFunction:
    return entry("string", name, doc, signatures, kernel, aliases=aliases, failure=failure)


FUNCTIONS: tuple[ScalarFunction, ...] = (
    _text("lower", "The text in lower case.", ("text -> text",), compute(pc.utf8_lower), "lcase"),
    _text("upper", "The text in upper case.", ("text -> text",), compute(pc.utf8_upper), "ucase"),
    _text("length", "Characters in the text.", ("text -> long",), compute(pc.utf8_length), "len", "char_length",
          "character_length"),
    _text("strlen", "Bytes in the text.", ("text -> long",), compute(pc.binary_length)),
    _text("octet_length", "Bytes in the blob.", ("blob -> long",), compute(pc.binary_length)),
    _text("bit_length", "Bits in the text.", ("text -> long",), _bits),
    _text("substring", "Characters from a position (1-based; negative: from the end), all or a number of them.",
          ("text, long -> text", "text, long, long -> text"), with_constants(1, substring), "substr"),
    _text("left", "The first characters; a negative count leaves out the last ones.", ("text, long -> text",),
          with_constants(1, left)),
    _text("right", "The last characters; a negative count leaves out the first ones.", ("text, long -> text",),
          with_constants(1, right)),
    _text("trim", "The text without leading and trailing spaces, or without the given characters.", ("text -> text",
        "text, text -> text"),
          _trimmed(pc.utf8_trim)),
    _text("ltrim", "The text without leading spaces, or without the given characters.", ("text -> text", "text, text -> text"),
          _trimmed(pc.utf8_ltrim)),
    _text("rtrim", "The text without trailing spaces, or without the given characters.", ("text -> text", "text, text -> text"),
          _trimmed(pc.utf8_rtrim)),
    _text("lpad", "The text cut or filled on the left to a width.", ("text, int, text -> text",), with_constants(1, lpad),
          failure=Failure.MAY),
    _text("rpad", "The text cut or filled on the right to a width.", ("text, int, text -> text",), with_constants(1, rpad),
          failure=Failure.MAY),
    _text("replace", "The text with every occurrence of the second text replaced by the third.", ("text, text, text -> text",),
          with_constants(1, replace)),
    _text("reverse", "The characters in reverse order.", ("text -> text",), compute(pc.utf8_reverse)),
    _text("repeat", "The text a number of times.", ("text, long -> text", "blob, long -> blob"), _repeat),
    _text("instr", "Where the second text first stands in the first, from 1; 0 if nowhere.", ("text, text -> long",),
          with_constants(1, position), "strpos", "position"),
    _text("contains", "Whether the second text stands in the first.", _MATCH, with_constants(1, contains)),
    _text("prefix", "Whether the first text starts with the second.", _MATCH, with_constants(1, pc.starts_with), "starts_with",
          "^@"),
    _text("suffix", "Whether the first text ends with the second.", _MATCH, with_constants(1, pc.ends_with), "ends_with"),
    _text("split_part",
          "The part of the text between separators, counted from 1 (negative: from the end); empty if there is none.",
          ("text, text, long -> text",), with_constants(1, split_part)),
    _text("ascii", "The code point of the first character; 0 for an empty text.", ("text -> int",), _code_kernel(0)),
    _text("unicode", "The code point of the first character; -1 for an empty text.", ("text -> int",), _code_kernel(-1), "ord"),
    _text("chr", "The character with the code point.", ("int -> text",), with_constants(1, character), failure=Failure.MAY),
    _text("like", "Whether the text matches a pattern of `%` (any run) and `_` (one character).", _MATCH, _like, "~~"),
    _text("ilike", "LIKE without regard to case.", _MATCH, _ilike, "~~*"),
    _text("not_like", "Whether the text does not match the pattern.", _MATCH, _negated(_like), "!~~"),
    _text("not_ilike", "NOT LIKE without regard to case.", _MATCH, _negated(_ilike), "!~~*"),
    _text("like_escape", "LIKE with an escape character.", _MATCH_ESCAPED, with_constants(1, likes.like), failure=Failure.MAY),
    _text("ilike_escape", "ILIKE with an escape character.", _MATCH_ESCAPED, with_constants(1, likes.ilike),
          failure=Failure.MAY),
    _text("not_like_escape", "NOT LIKE with an escape character.", _MATCH_ESCAPED, _negated(with_constants(1, likes.like)),
          failure=Failure.MAY),
    _text("not_ilike_escape", "NOT ILIKE with an escape character.", _MATCH_ESCAPED, _negated(with_constants(1, likes.ilike)),
          failure=Failure.MAY),
    _text("glob", "Whether the text matches a pattern of `*`, `?` and `[...]`.", _MATCH, with_constants(1, likes.glob), "~~~"),
    ScalarFunction("concat", "The arguments as text, one after the other; NULLs are left out.", "string", _texts, _concat,
                   ("concat(any, ...) -> VARCHAR",), nulls=Nulls.OWN),
    ScalarFunction("concat_ws", "The arguments after the first as text, separated by the first; NULLs are left out.", "string",
                   _separated,
                   _concat_ws, ("concat_ws(VARCHAR, any, ...) -> VARCHAR",), nulls=Nulls.OWN),
    ScalarFunction("concat_operator", "Both values as text, joined; NULL if either is.", "string", _two_texts, _concat_operator,
                   ("any || any -> VARCHAR", "BLOB || BLOB -> BLOB"), ("||",), operator="||"),
)  # fmt: skip
