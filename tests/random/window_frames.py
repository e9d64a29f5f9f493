"""Random frames over distances of values, and random aggregates whose value does not depend on the order of the frame's
rows."""

from __future__ import annotations

import random

from tests.random.tables import COLUMNS

_ANY = tuple(COLUMNS)
_SUMMED = ("k", "j", "s", "y", "w", "d", "f", "g")
_WHOLE = ("k", "j", "s", "y")
_PAIRS = ("covar_pop", "covar_samp", "regr_count", "regr_avgx", "regr_avgy", "regr_sxx", "regr_syy", "regr_sxy")
_DISTANCES = {
    "k": ("0", "1", "2.5", "n % 3", "7"),
    "j": ("1000000", "2500000", "n"),
    "s": ("1", "3"),
    "y": ("1", "2"),
    "d": ("0.37", "1", "0.5"),
    "f": ("0.25", "1", "0.6"),
    "g": ("0.5", "2"),
    "n": ("0", "3", "n % 4"),
    "day": ("interval 9 day", "interval 1 month", "interval 0 day"),
    "moment": ("interval 1 hour", "interval 10 day", "interval 1 month"),
    "z": ("interval 3 day",),
    "clock": ("interval 1 hour", "interval 90 minute"),
}


def range_frame(rng: random.Random) -> tuple[str, str]:
    """(order, frame) of a frame that reaches over values."""
    key = rng.choice(tuple(_DISTANCES))
    bounds = [f"{rng.choice(_DISTANCES[key])} {side}" for side in ("preceding", "following")]
    start = rng.choice(("unbounded preceding", bounds[0], bounds[0], "current row", bounds[1]))
    ends = ("current row", bounds[1], bounds[1], "unbounded following")
    end = rng.choice((bounds[0], *ends)) if "preceding" in start else rng.choice(ends[1:] if start == bounds[1] else ends)
    order = f"{key}{rng.choice(('', ' desc'))}{rng.choice(('', ' nulls first', ' nulls last'))}"
    return order, f"range between {start} and {end}{exclusion(rng)}"


def exclusion(rng: random.Random) -> str:
    """What a frame leaves out, mostly nothing."""
    return rng.choice(("",) * 5 + (" exclude current row", " exclude group", " exclude ties", " exclude no others"))


def filtered(rng: random.Random, call: str) -> str:
    """The aggregate, sometimes over only some of the rows."""
    return call if rng.random() < 0.8 else f"{call} filter (where {rng.choice(('k > 1', 'b', 't is not null', 'n % 3 = 0'))})"


def rounded(call: str) -> str:
    """The call, with zero where one engine gives zero and another what rounding has left of it."""
    if not call.startswith(("var_", "stddev_", "covar_", "regr_s")):
        return call
    return f"case when abs({call}) < 1e-9 then 0.0::double else {call} end"


def any_order_aggregate(rng: random.Random) -> str:
    """An aggregate of a set of rows."""
    column, number = rng.choice(_ANY), rng.choice(_SUMMED)
    spread = rng.choice(("var_pop", "var_samp", "stddev_pop", "stddev_samp"))
    fraction = rng.choice(("0", "0.1", "0.25", "0.5", "0.9", "1", "-0.25"))
    return rng.choice(
        (
            "count(*)",
            f"count({column})",
            f"sum({number})",
            f"avg({number})",
            f"avg({rng.choice(('day', 'moment'))})",
            f"min({column})",
            f"max({column})",
            "sum(j * 1000000)",
            "bool_and(b)",
            "bool_or(b)",
            f"{rng.choice(('bit_and', 'bit_or', 'bit_xor'))}({rng.choice(_WHOLE)})",
            f"{spread}({rng.choice((*_WHOLE, 'd', 'g'))})",
            f"{rng.choice(_PAIRS)}({rng.choice(('k', 'd', 's'))}, {rng.choice(('y', 'j', 'd'))})",
            f"count(distinct {column})",
            f"{rng.choice(('sum', 'avg'))}(distinct {rng.choice(('k', 'j', 'd', 's'))})",
            f"quantile_cont({rng.choice(('k', 'j', 'f', 'moment', 'day'))}, {fraction})",
            f"quantile_disc({rng.choice(('k', 'j', 'd', 'f', 't', 'day', 'b'))}, {fraction})",
            f"median({rng.choice(('k', 's', 'f', 't', 'day'))})",
            f"entropy({rng.choice(('k', 't', 'b'))})",
            f"product({rng.choice(('y', 'g'))})",
            "count_if(b)",
        )
    )
