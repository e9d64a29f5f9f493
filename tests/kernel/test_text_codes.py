"""Texts as codes: equal where they are, encoded once for as long as the same column comes."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flightmesh.compute import pc
from flightmesh.kernel.text_codes import TextCodes

TEXTS = pa.array(["a", "bb", None, "a", "ccc", "bb"])
NUMBERS = pa.array([1, 2, 3, 4, 5, 6])


def test_codes_are_equal_where_texts_are() -> None:
    codes, numbers = TextCodes().encoded([TEXTS, NUMBERS])
    assert codes.to_pylist() == [0, 1, None, 0, 2, 1]
    assert numbers is NUMBERS


def test_a_column_is_encoded_once_and_again_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []

    def counting(column: pa.Array) -> pa.DictionaryArray:
        encoded.append(len(column))
        return column.dictionary_encode()

    monkeypatch.setattr(pc, "dictionary_encode", counting)
    codes = TextCodes()
    table = pa.record_batch([TEXTS], ["t"])
    nothing = pa.nulls(6, pa.string())
    for column in (table.column(0), nothing, table.column(0), table.column(0)):
        codes.encoded([NUMBERS, column])
    assert encoded == [6]
    for part in (TEXTS[1:], TEXTS[:5], TEXTS[:5], pa.array(TEXTS.to_pylist())):
        assert codes.encoded([NUMBERS, part])[1].to_pylist() == part.dictionary_encode().indices.to_pylist()
    assert encoded == [6, 5, 5, 6]
