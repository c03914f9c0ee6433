from __future__ import annotations

from functools import lru_cache

from django_countries import countries

OTHER_NAMES = {
    "eire": "IE",
    "england": "GB",
    "great britain": "GB",
    "northern ireland": "GB",
    "rsa": "ZA",
    "scotland": "GB",
    "u.k.": "GB",
    "u.s.a.": "US",
    "uae": "AE",
    "uk": "GB",
    "united states": "US",
    "wales": "GB",
}
"""Names that traders write and ISO 3166 does not list."""


@lru_cache(maxsize=1024)
def code_of(name: str) -> str:
    """The ISO 3166 code of a country, from its English name or a code; nothing without one."""
    code = OTHER_NAMES.get(name.casefold()) or countries.by_name(name) or countries.alpha2(name.upper()) or ""
    return str(code)
