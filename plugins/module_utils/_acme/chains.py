# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the chains that a CA offers for a certificate is taken."""

from __future__ import annotations

from typing import Any

from .._errors import CertfleetError
from .._x509 import load_chain, split_pem
from . import _library as library

#: The names that a distinguished name may be given with, short and long, as community.crypto takes them.
_OIDS = {
    "CN": "2.5.4.3", "COMMONNAME": "2.5.4.3",
    "C": "2.5.4.6", "COUNTRYNAME": "2.5.4.6",
    "O": "2.5.4.10", "ORGANIZATIONNAME": "2.5.4.10",
    "OU": "2.5.4.11", "ORGANIZATIONALUNITNAME": "2.5.4.11",
}  # fmt: skip

SELECT_CHAIN_OPTIONS: dict[str, dict[str, Any]] = {
    "test_certificates": {"type": "str", "choices": ["first", "last", "all"], "default": "all"},
    "issuer": {"type": "dict"},
    "subject": {"type": "dict"},
    "subject_key_identifier": {"type": "str"},
    "authority_key_identifier": {"type": "str"},
}


def check_criteria(criteria: list[dict[str, Any]] | None) -> None:
    """Raise CertfleetError for a criterion that names nothing, or an attribute or identifier that cannot be read."""
    for number, criterion in enumerate(criteria or [], 1):
        wanted = [criterion.get(key) for key in SELECT_CHAIN_OPTIONS if key != "test_certificates"]
        if not any(wanted):
            raise CertfleetError(f"number {number} of select_chain names nothing to look for")
        for key in ("issuer", "subject"):
            for attribute in criterion.get(key) or {}:
                _oid(attribute)
        for key in ("subject_key_identifier", "authority_key_identifier"):
            _octets(criterion.get(key) or "")


def choose_chain(chains: list[str], criteria: list[dict[str, Any]] | None) -> str:
    """The first chain that fits the earliest criterion that any fits; the first of all when none fits.

    chains: PEM texts, the CA's default first. Raises CertfleetError for a chain that cannot be read.
    """
    for criterion in criteria or []:
        for chain in chains:
            if _fits(chain, criterion):
                return chain
    return chains[0]


def split_chain(fullchain: str) -> tuple[str, str]:
    """The certificate and the rest of its chain, both PEM, nothing else of the text kept."""
    blocks = split_pem(fullchain)
    return (blocks[0] if blocks else ""), "".join(blocks[1:])


def _fits(chain_pem: str, criterion: dict[str, Any]) -> bool:
    # The leaf says nothing about the chain, so the first is the one that issued it.
    certificates = load_chain(chain_pem)[1:]
    which = criterion.get("test_certificates") or "all"
    if which == "first":
        certificates = certificates[:1]
    elif which == "last":
        certificates = certificates[-1:]
    return any(_matches(certificate, criterion) for certificate in certificates)


def _matches(certificate: Any, criterion: dict[str, Any]) -> bool:
    x509 = library.x509
    for key, name in (("issuer", certificate.issuer), ("subject", certificate.subject)):
        for attribute, value in (criterion.get(key) or {}).items():
            found = name.get_attributes_for_oid(x509.ObjectIdentifier(_oid(attribute)))
            if value not in [entry.value for entry in found]:
                return False
    for key, extension, member in (
        ("subject_key_identifier", x509.SubjectKeyIdentifier, "digest"),
        ("authority_key_identifier", x509.AuthorityKeyIdentifier, "key_identifier"),
    ):
        if criterion.get(key):
            try:
                found = getattr(certificate.extensions.get_extension_for_class(extension).value, member)
            except x509.ExtensionNotFound:
                return False
            if found != _octets(criterion[key]):
                return False
    return True


def _oid(attribute: str) -> str:
    if attribute.replace(".", "").isdigit():
        return attribute
    try:
        return _OIDS[attribute.upper()]
    except KeyError as error:
        raise CertfleetError(
            f"select_chain does not know the attribute {attribute}", remedy="Use CN, O, OU, C or a dotted OID."
        ) from error


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text.replace(":", ""))
    except ValueError as error:
        raise CertfleetError(f"select_chain: {text} is not a key identifier", remedy="Write it as 0A:1B:2C.") from error
