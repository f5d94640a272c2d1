"""Find numbers that name a person's account, card, computer or themselves, by their shape and their check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

# International bank account numbers have a fixed length in each country (ISO 13616).
_LENGTHS: Final = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18"
        "FO18FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20"
        "LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31SE24"
        "SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20",
    )
}
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ \u2010-\u2015\u2212-]?[A-Za-z0-9]){11,30}")
_CARD = re.compile(r"(?<![\w.,$€£#@-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
_BRANDS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35\d{14}"
)
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-]|\.\d)")
_IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9a-fA-F]{3}:[0-9a-fA-F:]{2,35}(?![\w:])")


def ibans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each bank account number (IBAN), by its check digits."""
    for found in _IBAN.finditer(text):
        wanted = _LENGTHS.get(found.group()[:2].upper(), 0)
        places = [at for at in range(found.start(), found.end()) if text[at].isalnum()]
        if not 0 < wanted <= len(places):
            continue
        end = places[wanted - 1] + 1
        number = "".join(text[at] for at in places[:wanted]).upper()
        if (
            not text[end : end + 1].isalnum()
            and int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1
        ):
            yield found.start(), end


def cards(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each payment card number, by its brand and its check digit (Luhn)."""
    for found in _CARD.finditer(text):
        digits = re.sub(r"\D", "", found.group())
        if _BRANDS.fullmatch(digits) and _luhn(digits) and len(set(digits)) > 1:
            yield found.span()


def _luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(doubled)) % 10 == 0


def social_security_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each US social security number, such as 123-45-6789."""
    for found in _SSN.finditer(text):
        yield found.span()


def ip_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each public IP address. Those of one's own network tell nothing."""
    for found in _IPV4.finditer(text):
        if _is_public(found.group()) and not _is_version(list(map(int, found.group().split(".")))):
            yield found.span()
    for found in _IPV6.finditer(text):
        if _is_public(found.group()):
            yield found.span()


def _is_public(address: str) -> bool:
    try:
        return ip_address(address).is_global
    except ValueError:
        return False


def _is_version(parts: list[int]) -> bool:
    """Return whether this is rather the version of an app, such as 16.0.0.214: small numbers and zeros."""
    return sum(part >= 100 for part in parts) < 2 and (parts[0] <= 20 or 0 in parts)
