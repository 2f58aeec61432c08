# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in the lab's Google APIs: tokens for service accounts (RFC 7523) and what each account is allowed."""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .cloud_dns_store import Refusal
from .discovery import Method

if TYPE_CHECKING:
    from .servers.cloud_dns import Settings

IAM = "https://www.googleapis.com/auth/iam"
#: What Google's library takes for the audience, whatever the key says of its token endpoint.
AUDIENCE = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
LIFETIME = 3599
#: Seconds that the clock of the one who asks may be wrong.
SKEW = 60
_IMPERSONATE = re.compile(r"^/v1/projects/-/serviceAccounts/(?P<email>[^/:]+):generateAccessToken$")


class _Bad(Exception):
    """A grant that is refused; the text is for error_description."""


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Accounts:
    """The accounts of a file by e-mail address: public_key, token (one that is good from the start), zones (DNS names,
    none for all), denied (permissions), impersonates (addresses)."""

    def __init__(self, settings: Settings, token_uri: str) -> None:
        self._settings = settings
        self._token_uri = token_uri
        self._given: dict[str, tuple[str, frozenset[str], float]] = {}
        self._lock = threading.Lock()

    def _accounts(self) -> dict[str, dict[str, Any]]:
        with self._lock:
            self._settings.changed()
            return dict(self._settings.value or {})

    def _give(self, email: str, scopes: list[str], lifetime: float = LIFETIME) -> str:
        token = f"ya29.{secrets.token_urlsafe(30)}"
        self._given[token] = (email, frozenset(scopes), time.time() + lifetime)
        return token

    def exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """A signed assertion for a token (RFC 7523 section 2.1), status and body of the answer."""
        if form.get("grant_type") != GRANT:
            return 400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type."}
        try:
            email, scopes = self._verify(form.get("assertion", ""), {AUDIENCE, self._token_uri})
        except _Bad as bad:
            return 400, {"error": "invalid_grant", "error_description": str(bad)}
        except (ValueError, KeyError, TypeError):
            return 400, {"error": "invalid_grant", "error_description": "Bad JWT."}
        token = self._give(email, scopes)
        return 200, {"access_token": token, "expires_in": LIFETIME, "token_type": "Bearer"}

    def _verify(self, assertion: str, audiences: set[str | None]) -> tuple[str, list[str]]:
        head, claims_part, signature = assertion.split(".")
        if json.loads(_decode(head))["alg"] != "RS256":
            raise _Bad("Invalid JWT: alg must be RS256.")
        claims = json.loads(_decode(claims_part))
        account = self._accounts().get(claims["iss"])
        if account is None:
            raise _Bad("Invalid grant: account not found")
        key = load_pem_public_key(account["public_key"].encode())
        if not isinstance(key, RSAPublicKey):
            raise _Bad("Invalid JWT: no RSA key.")
        try:
            key.verify(_decode(signature), f"{head}.{claims_part}".encode(), PKCS1v15(), SHA256())
        except InvalidSignature as error:
            raise _Bad("Invalid JWT Signature.") from error
        now = time.time()
        if claims.get("aud") not in audiences:
            raise _Bad("Invalid JWT: Failed audience check.")
        lasting = float(claims["exp"]) - float(claims["iat"])
        if float(claims["iat"]) > now + SKEW or float(claims["exp"]) < now - SKEW or lasting > 3600 + SKEW:
            raise _Bad("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.")
        return claims["iss"], str(claims["scope"]).split()

    def _who(self, bearer: str) -> tuple[str, frozenset[str]]:
        if not bearer:
            raise Refusal(401, "required", "Request is missing required authentication credential.")
        for email, account in self._accounts().items():
            if account["token"] == bearer:
                return email, frozenset({CLOUD_PLATFORM})
        if bearer.count(".") == 2:
            return self._self_signed(bearer)
        email, scopes, end = self._given.get(bearer, ("", frozenset[str](), 0.0))
        if not email or end < time.time():
            raise Refusal(401, "authError", "Request had invalid authentication credentials.")
        return email, scopes

    def _self_signed(self, bearer: str) -> tuple[str, frozenset[str]]:
        """A token that the account signed itself (Google, "Self-signed JSON Web Tokens", with a scope)."""
        try:
            email, scopes = self._verify(bearer, {None})
        except (_Bad, ValueError, KeyError, TypeError) as error:
            raise Refusal(401, "authError", "Request had invalid authentication credentials.") from error
        return email, frozenset(scopes)

    def check(self, bearer: str, method: Method, zone: str | None, permission: str = "") -> None:
        """Whether who has this token may use the method, in a zone (its DNS name) where it is about one.
        permission: the method's, where it is not called as the method is. Raises Refusal."""
        email, scopes = self._who(bearer)
        if not scopes & method.scopes:
            raise Refusal(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        account = self._accounts()[email]
        permission = permission or f"dns.{method.kind}"
        zones = account.get("zones")
        outside = zones is not None and zone is not None and zone.rstrip(".") not in zones
        if permission in account.get("denied", ()) or outside:
            raise Refusal(403, "forbidden", f"The user does not have the '{permission}' permission for this resource.")

    def impersonate(self, path: str, bearer: str, content: bytes) -> tuple[int, dict[str, Any]]:
        """projects.serviceAccounts.generateAccessToken of the IAM Credentials API, status and body of the answer."""
        match = _IMPERSONATE.match(path)
        try:
            email, scopes = self._who(bearer)
        except Refusal as refusal:
            return 401, {"error": {"code": 401, "message": str(refusal), "status": "UNAUTHENTICATED"}}
        accounts = self._accounts()
        target = match["email"] if match else ""
        if not scopes & {CLOUD_PLATFORM, IAM} or target not in accounts[email].get("impersonates", ()):
            message = f"Permission 'iam.serviceAccounts.getAccessToken' denied on resource {target}."
            return 403, {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}}
        token = self._give(target, list(json.loads(content)["scope"]))
        expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LIFETIME))
        return 200, {"accessToken": token, "expireTime": expiry}
