"""The table of wide.py: `visits`, 100 columns, a row for each page that somebody looked at in May 2026, nearly in time's order.

Handed a scale (10 million rows times that); hands on a Parquet file. Users, sites, pages and phrases are skewed: few have most
of the rows. The texts of a page (url, title) follow from its number, so they occur together again. What nobody has given is an
empty text or 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from flightmesh.bench.benchmarks.draws import Integers, integers, skewed, units, words
from flightmesh.bench.benchmarks.files import Columns, numbered, texts_of, write_rows
from flightmesh.compute import pc

Flags: TypeAlias = NDArray[np.bool_]
ROWS = 10_000_000
GROUP_ROWS = 1 << 16
START = np.datetime64("2026-05-01T00:00:00", "us")
MONTH_MICROSECONDS = 31 * 24 * 3600 * 1_000_000
SITES = 5000
PHRASE_WORDS = 400
_SCATTER = 11_400_714_819
"""Makes large numbers, far from one another, of small ones that follow one another."""


def _listed(words: str) -> pa.Array:
    return pa.array(words.split())


WORDS = _listed(
    "garden market harbour winter summer river mountain bicycle kitchen letter window silver paper ticket music camera engine"
    " bread coffee orange blue quiet early cheap local school doctor travel forest island weather recipe football theatre"
    " museum history science planet guitar piano novel lamp table chair carpet jacket boots wallet mirror candle"
)
BROWSERS = pa.array(["Chrome", "Safari", "Firefox", "Edge", "Opera", "Samsung Internet", "Vivaldi", "Other"])
SYSTEMS = _listed("Android Windows iOS macOS Linux ChromeOS")
COUNTRIES = _listed("US DE IN BR FR GB JP IT ES PL TR MX CA NL SE NO PT KE PE AU AT CH CZ FI GR ID KR NG RO UA VN ZA")
LANGUAGES = _listed("en de es pt fr hi ja it pl tr nl sv no el cs fi id ko ro uk")
MEDIA = pa.array(["", "organic", "cpc", "email", "social", "affiliate"])
CHARSETS = pa.array(["utf-8", "iso-8859-1", "windows-1251", "shift_jis"])

FLAGS = {  # the share of ones
    "is_mobile": 0.55, "is_tablet": 0.06, "is_new_user": 0.3, "is_bounce": 0.4, "is_refresh": 0.04, "is_link": 0.2,
    "is_download": 0.01, "is_order": 0.02, "is_signed_in": 0.25, "is_bot": 0.03, "is_internal": 0.05, "is_not_found": 0.01,
    "is_secure": 0.97, "is_private": 0.02, "is_first_page": 0.35, "is_last_page": 0.35, "is_print": 0.001, "is_share": 0.01,
    "is_video": 0.08, "is_form": 0.04, "is_search": 0.06, "is_error": 0.005, "is_cached": 0.3, "is_preview": 0.01,
    "is_experiment": 0.5, "is_consent": 0.8, "is_dark": 0.4, "has_cookies": 0.95, "has_script": 0.99, "has_touch": 0.6,
    "has_adblock": 0.3, "has_location": 0.1, "has_push": 0.15, "has_wallet": 0.2, "has_webgl": 0.97,
}  # fmt: skip
NUMBERS = {  # how many values from 0, and the skew towards 0
    "region_id": (900, 3.0), "city_id": (20_000, 4.0), "network_id": (4000, 3.0), "traffic_source": (9, 2.0),
    "search_engine": (30, 3.0), "social_network": (12, 4.0), "ad_network": (20, 5.0), "browser_major": (140, 0.5),
    "browser_minor": (60, 2.0), "os_major": (20, 0.7), "screen_width": (3000, 0.8), "screen_height": (2000, 0.8),
    "window_width": (2600, 0.9), "window_height": (1600, 0.9), "page_height": (12_000, 2.0), "colour_depth": (4, 0.3),
    "pixel_ratio": (4, 1.0), "timezone_minutes": (1440, 1.0), "age_group": (8, 1.2), "sex": (3, 1.0), "income_group": (6, 1.0),
    "interests": (1024, 2.0), "robotness": (100, 6.0), "clicks": (60, 4.0), "scrolls": (200, 3.0), "key_presses": (300, 5.0),
    "pages_before": (80, 3.0), "visits_before": (500, 4.0), "days_since_last": (365, 3.0), "seconds_on_page": (1800, 3.0),
    "dns_ms": (400, 5.0), "connect_ms": (900, 4.0), "tls_ms": (900, 4.0), "response_ms": (4000, 4.0), "dom_ms": (9000, 3.0),
    "load_ms": (30_000, 4.0), "paint_ms": (6000, 3.0), "bytes_sent": (900_000, 3.0), "bytes_received": (20_000, 4.0),
    "requests": (250, 2.0), "experiment_arm": (4, 1.0), "template_id": (40, 2.0), "author_id": (3000, 3.0),
}  # fmt: skip


def make(folder: Path, scale: float) -> None:
    """Writes the table."""
    count = max(1000, round(ROWS * scale))
    write_rows(folder / "visits.parquet", count, lambda rows: _columns(rows, count), GROUP_ROWS)


def _columns(rows: range, count: int) -> Columns:
    flags = {
        name: pa.array((units(rows, 100 + place) < share).astype(np.int16)) for place, (name, share) in enumerate(FLAGS.items())
    }
    numbers = {
        name: pa.array(skewed(rows, 200 + place, size, skew).astype(np.int32))
        for place, (name, (size, skew)) in enumerate(NUMBERS.items())
    }
    return {**_who_and_when(rows, count), **_pages(rows, count), **_client(rows), **flags, **numbers, **_money(rows)}


def _who_and_when(rows: range, count: int) -> Columns:
    at = START + (_offsets(rows, count)).astype("timedelta64[us]")
    user = skewed(rows, 1, max(10, count // 6), 2.0)
    return {
        "visit_id": pa.array(np.arange(rows.start, rows.stop, dtype=np.int64)),
        "visited_at": pa.array(at),
        "day": pa.array(at.astype("datetime64[D]")),
        "user_id": pa.array((user + 1) * _SCATTER % 2**61),
        "session_id": pa.array(user * 64 + integers(rows, 3, 5)),
        "client_ip": pa.array(skewed(rows, 4, max(10, count // 4), 1.5) * 7919 + 16_777_216),
        "screen_seed": pa.array(words(rows, 5).astype(np.int64)),
    }


def _offsets(rows: range, count: int) -> Integers:
    """Microseconds since the start of the month: in order but for some seconds, as logs are."""
    even = np.arange(rows.start, rows.stop, dtype=np.float64) * (MONTH_MICROSECONDS / (count + 1))
    late = units(rows, 6) * 20_000_000
    return np.minimum(even + late, MONTH_MICROSECONDS - 1).astype(np.int64)


def _pages(rows: range, count: int) -> Columns:
    page = skewed(rows, 11, max(50, count // 20), 3.0)
    came = units(rows, 12)
    other = skewed(rows, 14, max(50, count // 10), 2.0)
    searched = units(rows, 15) < 0.15
    return {
        "site_id": pa.array(_site(page).astype(np.int32)),
        "url": _url(page, units(rows, 16) < 0.25, integers(rows, 17, 40)),
        "title": _title(page),
        "referrer": _or_empty(came < 0.6, _url(other * 3 + 1, came < 0.2, integers(rows, 18, 40))),
        "search_phrase": _or_empty(searched, _phrase(rows)),
    }


def _site(page: Integers) -> Integers:
    """Whose page it is; few sites have most pages."""
    return ((page * 2_654_435_761 % 2**32 / 2**32) ** 3 * SITES).astype(np.int64)


def _url(page: Integers, has_query: Flags, campaign: Integers) -> pa.Array:
    site = _site(page)
    host = pc.if_else(pa.array(site % 3 == 0), "https://", "https://www.")
    path = _joined("/", numbered("s", site), _word(page * 7), _word(page * 31 + site))
    path = pc.binary_join_element_wise(path, numbered("", page), "-")
    query = _or_empty(has_query, numbered("?from=mail&campaign=", campaign))
    return pc.binary_join_element_wise(host, pc.replace_substring(path, "/", ".example/", max_replacements=1), query, "")


def _title(page: Integers) -> pa.Array:
    return _joined(" ", _word(page * 31), _word(page * 17 + 5), _word(page // 50), numbered("no. ", page % 1000))


def _phrase(rows: range) -> pa.Array:
    first, second = skewed(rows, 20, PHRASE_WORDS, 2.0), skewed(rows, 21, PHRASE_WORDS, 2.0)
    return _joined(" ", _word(first), _word(second * 3 + 1), numbered("", first + second))


def _client(rows: range) -> Columns:
    model = skewed(rows, 30, 800, 3.0)
    campaign = skewed(rows, 31, 300, 2.0)
    return {
        "browser": texts_of(skewed(rows, 32, len(BROWSERS), 2.5), BROWSERS),
        "os": texts_of(skewed(rows, 33, len(SYSTEMS), 1.8), SYSTEMS),
        "country": texts_of(skewed(rows, 34, len(COUNTRIES), 2.0), COUNTRIES),
        "language": texts_of(skewed(rows, 35, len(LANGUAGES), 2.2), LANGUAGES),
        "charset": texts_of(skewed(rows, 36, len(CHARSETS), 6.0), CHARSETS),
        "medium": texts_of(skewed(rows, 37, len(MEDIA), 2.0), MEDIA),
        "device_model": _or_empty(units(rows, 38) < 0.5, numbered("model ", model, 3)),
        "campaign": _or_empty(units(rows, 39) < 0.3, _joined("-", _word(campaign), numbered("", campaign))),
    }


def _money(rows: range) -> Columns:
    cents = np.where(units(rows, 40) < 0.02, skewed(rows, 41, 50_000, 2.0) + 100, 0)
    return {
        "revenue": pc.cast(pa.array(cents), pa.decimal128(19, 0)).view(pa.decimal128(19, 2)).cast(pa.decimal128(12, 2)),
        "scroll_share": pa.array(np.round(units(rows, 42), 4)),
    }


def _word(numbers: Integers) -> pa.Array:
    return WORDS.take(pa.array(numbers % len(WORDS)))


def _joined(between: str, *parts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*parts, between)


def _or_empty(where: Flags, texts: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(where), texts, "")
