"""Queries that find nothing at the scale of CI, with other constants, so that they do.

Handed nothing; hands on texts by number. What always holds: a variant is the query's text with some constants (and where no
constant helps, a comparison or a column beside one) replaced, each wherever it stands; a replacement that does not apply fails.
At scale 0.1 there are two stores (in one county, with one zip code), two web sites and one warehouse: a query that wants lines
of an order from two warehouses asks for two items instead.
"""

from __future__ import annotations

from typing import TypeAlias

from tests.tpcds.data import queries

Replacement: TypeAlias = tuple[str, str]

VARIANTS: dict[int, tuple[Replacement, ...]] = {
    8: (("HAVING count(*) > 10", "HAVING count(*) > 1"),),
    16: (("cs_warehouse_sk", "cs_item_sk"), ("'2002-02-01'", "'1999-02-01'")),
    23: (("HAVING count(*) >4", "HAVING count(*) >1"),),
    24: (("s_market_id=8", "s_market_id>0"), ("i_color = 'peach'", "i_color > 'd'")),
    25: (
        ("d1.d_year = 2001", "d1.d_year >= 1998"),
        ("d2.d_year = 2001", "d2.d_year >= 2001"),
        ("d3.d_year = 2001", "d3.d_year >= 1998"),
        ("d1.d_moy = 4", "d1.d_moy >= 1"),
        ("BETWEEN 4 AND 10", "BETWEEN 1 AND 12"),
    ),
    32: (("i_manufact_id = 977", "i_manufact_id >= 950"),),
    37: (
        ("68 AND 68 + 30", "8 AND 8 + 90"),
        ("(677,", "(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 677,"),
        ("'2000-02-01'", "'1999-02-01'"),
        ("100 AND 500", "1 AND 500"),
    ),
    41: (
        ("738 AND 738+40", "1 AND 1+990"),
        ("'powder'", "'sky'"),
        ("'midnight'", "'salmon'"),
        ("'floral'", "'red'"),
        ("'orange'", "'tan'"),
        ("'light'", "'rose'"),
    ),
    44: (("ss_store_sk = 4", "ss_store_sk = 1"), ("ss_addr_sk IS NULL", "ss_hdemo_sk IS NULL")),
    54: (
        ("i_class = 'maternity'", "i_class > 'a'"),
        ("i_category = 'Women'", "i_category > 'A'"),
        ("d_moy = 12\n     AND d_year = 1998 )", "d_moy <= 12\n     AND d_year >= 1998 )"),
        ("d_month_seq+3", "d_month_seq+48"),
    ),
    64: (("64 AND 64 + 10", "10 AND 10 + 80"), ("64 + 1 AND 64 + 15", "10 + 1 AND 10 + 80"), ("1999 + 1", "1999 + 2")),
    65: (("0.1 * sb.ave", "0.35 * sb.ave"),),
    82: (("62 AND 62+30", "2 AND 2+90"), ("(129,", "(1, 2, 3, 4, 5, 129,")),
    84: (("ca_city = 'Edgewood'", "ca_city > 'A'"), ("38128 + 50000", "38128 + 20000")),
    85: (
        ("d_year = 2000", "d_year >= 1998"),
        ("ca_state IN", "ca_state NOT IN"),
        ("= 'M'", ">= 'D'"),
        ("= 'Advanced Degree'", ">= '4'"),
        ("100.00 AND 150.00", "0.00 AND 300.00"),
        ("BETWEEN 100 AND 200", "BETWEEN -10000 AND 10000"),
    ),
    88: (("'ese'", "'able'"),),
    90: (("5000 AND 5200", "1500 AND 4000"),),
    91: (("d_year = 1998", "d_year >= 1998"), ("d_moy = 11", "d_moy >= 6")),
    94: (("ws_warehouse_sk", "ws_item_sk"), ("'pri'", "'ese'"), ("'IL'", "'TX'")),
    95: (("ws_warehouse_sk", "ws_item_sk"), ("'pri'", "'ese'"), ("'IL'", "'TX'")),
    96: (("'ese'", "'able'"),),
}


def variant(number: int) -> str:
    """The text of a query's variant."""
    text = queries()[number]
    for old, new in VARIANTS[number]:
        assert old in text, f"query {number} has no {old!r}"
        text = text.replace(old, new)
    return text
