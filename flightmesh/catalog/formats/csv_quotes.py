"""Finds a quoted field that is never closed, which pyarrow's parser takes for one that ends with the data.

Handed whole lines of a file; hands on where the opening quote is. What always holds: a quote counts only where a field begins,
as for the parser, so a stray one (`5" pipe`) is text.
"""

from __future__ import annotations

import re

from flightmesh.catalog.formats.csv_options import CsvOptions


def find_unclosed(data: bytes, options: CsvOptions) -> int | None:
    """The position of the quote that opens a field without an end; None when every quoted field is closed."""
    quote, delimiter = options.quote.encode(), (options.delimiter or ",").encode()
    if not quote or quote not in data:
        return None
    if options.escape and options.escape != options.quote:
        # An escaped character is never a quote; what stands in for it is as long, so that positions stay.
        data = re.sub(re.escape(options.escape.encode()) + rb".", b"xx", data, flags=re.DOTALL)
    return _walk(data, quote, delimiter) if _may_be_open(data, quote, delimiter) else None


def _may_be_open(data: bytes, quote: bytes, delimiter: bytes) -> bool:
    """Whether the last run of quotes of odd length stands where a field may begin: inside an open field all runs are even."""
    single = data.replace(quote + quote, b"")
    last = single.rfind(quote)
    return last == 0 or (last > 0 and single[last - 1 : last] in (delimiter, b"\n", b"\r"))


def _walk(data: bytes, quote: bytes, delimiter: bytes) -> int | None:
    mark = re.escape(quote)
    opening = re.compile(rb"(?:\A|[\r\n" + re.escape(delimiter) + rb"])" + mark)
    other = rb"[^" + mark + rb"]*"
    closing = re.compile(other + rb"(?:" + mark + mark + other + rb")*" + mark + rb"(?!" + mark + rb")")
    position = 0
    while (begin := opening.search(data, position)) is not None:
        end = closing.match(data, begin.end())
        if end is None:
            return begin.end() - 1
        position = end.end()
    return None
