# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names: the identifiers of certificates and the names of the certificates themselves. Standard library only."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from ._errors import CertfleetError

#: RFC 1035 section 2.3.4 (63 octets a label, 253 characters in text form); letters, digits, hyphen of RFC 5890 and
#: the underscore that names of services carry.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MAX_NAME = 253
#: Names in one certificate: Let's Encrypt's limit (Rate Limits, "Names per Certificate"), and other public CAs'.
#: RFC 8555 has none.
MAX_IDENTIFIERS = 100
_CERTIFICATE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
#: Characters that IDNA 2003 (Python's codec) maps away and IDNA 2008 (RFC 5892) keeps.
_DEVIATIONS = frozenset("ß\u03c2\u200c\u200d")


def is_ip(name: str) -> bool:
    """True for an IPv4 or IPv6 address in text form (RFC 8738 identifiers of type ip)."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def normalise(name: str) -> str:
    """The one spelling that names are compared in: lower case, no trailing dot, A-labels, compressed IPv6.

    A leading ``*.`` stays. Raises CertfleetError naming what is wrong.
    """
    text = name.strip()
    if is_ip(text):
        return ipaddress.ip_address(text).compressed
    text = text.removesuffix(".")
    wildcard = text.startswith("*.")
    text = _to_ascii(text[2:] if wildcard else text).lower()
    if not text or len(text) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in text.split(".")):
        raise CertfleetError(
            f"{name!r} is not a DNS name or an IP address",
            remedy="Write it as host.example.com, *.example.com or an address.",
        )
    return f"*.{text}" if wildcard else text


def _to_ascii(name: str) -> str:
    if name.isascii():
        return name
    remedy = "Write it with A-labels (xn--...)."
    try:
        import idna

        return idna.encode(name, uts46=True).decode("ascii")
    except ImportError:
        pass
    except ValueError as error:
        raise CertfleetError(f"{name!r} is not a valid internationalised name: {error}", remedy=remedy) from error
    if _DEVIATIONS & set(name.lower()):
        raise CertfleetError(f"{name!r} has a character that needs the Python library idna", remedy=remedy)
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise CertfleetError(f"{name!r} is not a valid internationalised name: {error}", remedy=remedy) from error


def base_domain(name: str) -> str:
    """The name that an authorization is for: without the leading ``*.`` (RFC 8555 section 7.1.4)."""
    return name.removeprefix("*.")


def validate_identifiers(names: Iterable[str]) -> list[str]:
    """Normalised names, duplicates dropped, the order kept.

    Raises CertfleetError for an empty list, a bad name or more names than public CAs take.
    """
    result = list(dict.fromkeys(normalise(name) for name in names))
    if len(result) > MAX_IDENTIFIERS:
        raise CertfleetError(
            f"{len(result)} names are too many for one certificate, CAs take {MAX_IDENTIFIERS} at most",
            remedy="Divide them among several certificates.",
        )
    if not result:
        raise CertfleetError("no identifier is given", remedy="Name at least one DNS name or IP address.")
    return result


def certificate_name(name: str) -> str:
    """The name itself when it may name a folder of the store. Raises CertfleetError otherwise."""
    if not _CERTIFICATE_NAME.fullmatch(name):
        raise CertfleetError(
            f"{name!r} cannot name a certificate",
            remedy="Use 1 to 64 of a-z, 0-9, dot, hyphen, underscore, the first a letter or a digit.",
        )
    return name
