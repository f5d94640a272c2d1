"""Find phone numbers with the rules of `phonenumbers`, which are Google's of Android."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

#: Where a number without a country code can be at home. Most numbers are valid in several of these.
REGIONS: Final = ("US", "GB", "IN", "DE", "FR", "ES", "IT", "BR", "AU")
#: Without a country code, shorter numbers are mostly dates, scores and references.
_MIN_DIGITS: Final = 9
_MIN_DIFFERENT: Final = 3
_CANDIDATE = re.compile(r"(?<![\w$€£#@＠])(?:\+|\(\+?)?\d(?:[^\S\n]?[-().\/–]{0,2}[^\S\n]?\d){6,17}(?!-?\w)")
#: Words before a number that say it's a phone's: English, German, Dutch, French, Spanish, Portuguese and Italian.
_CALLED = re.compile(
    r"\b(?:call|text|phone|mobile|cell|what'?sapp|dial|sms|fax|reach (?:me|us)|my number|t[eé]l[eé]?|t[eé]l[eé]phone|"
    r"telefon|telefoon|tel[eé]fon[oe]|handy|anruf(?:en)?|ruf(?:t|en)?(?: \w+)? an|appel(?:le|ez)(?:-\w+)?|m[oó]vil|"
    r"celular|ll[aá]m(?:a|e|ame|eme)|chiam(?:a|ami|ate|ateci)|cellulare)\b"
    r"[^\d\n+(]{0,16}(\+?\(?\d(?:[ )-]{0,3}\d){6,14})(?![-.]?\w)",
    re.IGNORECASE,
)
#: How numbers with an area code, and those of mobile phones, begin in most countries. Dates and times don't.
_AREA_CODE = re.compile(r"\(?0\d\d")
#: A date, also with the hour after it; two years; a decimal.
_NO_PHONE = re.compile(r"(?:19|20)\d\d(?:([ -])\d\d\1\d\d(?: \d\d)?|[ -](?:19|20)\d\d)|\d\.\d{5,}")


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each phone number."""
    candidates = list(_CANDIDATE.finditer(text))
    if not candidates:
        return
    for found in _CALLED.finditer(text):
        if not _NO_PHONE.fullmatch(found[1]):
            yield found.span(1)
    # Loaded late: it takes a tenth of a second, and most posts have no number of this length.
    from phonenumbers import Leniency, PhoneNumberMatcher

    for candidate in candidates:
        number = candidate.group()
        if _NO_PHONE.fullmatch(number):
            continue
        is_international = number.lstrip("(").startswith(("+", "00"))
        digits = [character for character in number if character.isdigit()]
        if len(set(digits)) < _MIN_DIFFERENT or (len(digits) < _MIN_DIGITS and not is_international):
            continue
        # "16.0.7920.1000" is a version, "3 4 5 6 7 8 9 10" a count, "03.04.2021 15:30" a time. Without a code in front,
        # the groups of digits must be those of the country.
        has_code = is_international or _AREA_CODE.match(number) is not None
        leniency = Leniency.VALID if has_code else Leniency.EXACT_GROUPING
        by_region = (
            [(match.start, match.end) for match in PhoneNumberMatcher(number, region, leniency=leniency)]
            for region in REGIONS
        )
        # For another country, a part of the number can be valid by itself.
        longest = max(by_region, key=lambda spans: sum(end - start for start, end in spans))
        yield from ((candidate.start() + start, candidate.start() + end) for start, end in longest)
