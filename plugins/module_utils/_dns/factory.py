# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's options to an engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from .._errors import CertfleetError
from .authoritative import NameServers
from .delegation import Delegations
from .engine import Engine, Notes
from .provider import Provider
from .ratelimit import Buckets
from .wait import Waiter
from .zones import Route, Router

#: Providers take up to 2,147,483,647 (RFC 2181 section 8); more than a day serves nobody here.
_TTL_MAX = 86400


def build_engine(params: Mapping[str, Any], *, journal: Notes | None = None) -> Engine:
    """The engine for the options dns_providers, dns_ttl, dns_wait, dns_timeout, dns_resolvers, dns_follow_cname (see
    argspec.py). journal: where the engine notes down what it writes.

    Sends nothing. Raises CertfleetError for options that cannot work, MissingLibrary.
    """
    providers = params.get("dns_providers") or []
    if not providers:
        raise CertfleetError("no DNS provider is given", remedy="Give at least one in dns_providers.")
    ttl = int(_given(params, "dns_ttl", 60))
    if not 0 < ttl <= _TTL_MAX:
        raise CertfleetError(f"the TTL {ttl} is not between 1 and {_TTL_MAX} s")
    waiter = Waiter(
        _given(params, "dns_wait", "authoritative"),
        float(_given(params, "dns_timeout", 300)),
        params.get("dns_resolvers") or [],
    )
    buckets = Buckets()
    routes = [_route(entry, buckets) for entry in providers]
    claimed: set[str] = set()
    for route in routes:
        twice = claimed & route.suffixes
        if twice:
            raise CertfleetError(f"the zone {min(twice)} is given to more than one entry of dns_providers")
        claimed |= route.suffixes
    follow = _given(params, "dns_follow_cname", True)
    delegations = Delegations(NameServers(params.get("dns_resolvers") or [])) if follow else None
    return Engine(Router(routes), waiter, ttl=ttl, delegations=delegations, journal=journal)


def _given(params: Mapping[str, Any], name: str, default: Any) -> Any:
    value = params.get(name)
    return default if value is None else value


def _route(entry: Mapping[str, Any], buckets: Buckets) -> Route:
    kind = str(entry.get("provider"))
    if kind not in _PROVIDERS:
        raise CertfleetError(f"there is no DNS provider {kind!r}", remedy=f"Give one of: {', '.join(_PROVIDERS)}.")
    options = entry.get(kind) or {}
    provider = _PROVIDERS[kind](options, buckets)
    provider.kind = kind
    return Route(
        provider,
        suffixes=entry.get("zones") or (),
        private=bool(options.get("private_zone")),
        zone_ids={name: _zone_id(provider, name, value) for name, value in (options.get("zone_ids") or {}).items()},
    )


def _zone_id(provider: Provider, name: str, value: object) -> str:
    if value is None or not str(value).strip():
        raise CertfleetError(f"zone_ids has no id for {name}", remedy="Write it, or leave the zone out.")
    return provider.zone_id(name, value)


def _rate(options: Mapping[str, Any]) -> float:
    return float(_given(options, "requests_per_second", 4.0))


# Imported when asked for: a provider's library is needed by those who use it only.


def _route53(options: Mapping[str, Any], buckets: Buckets) -> Provider:
    from .route53 import Route53, connect

    client = connect(options)
    # The limit is the account's. Whose keys are which account's is not known here; only a role's name tells it.
    account = str(options.get("assume_role_arn") or "").split(":")[4:5]
    limit = ("route53", client.meta.endpoint_url, *account)
    return Route53(client, bucket=buckets.of(limit, _rate(options)))


def _cloud_dns(options: Mapping[str, Any], buckets: Buckets) -> Provider:
    from .cloud_dns import CloudDns
    from .google_auth import connect

    client = connect(options)
    limit = ("cloud_dns", client._connection.API_BASE_URL, client.project)
    return CloudDns(client, bucket=buckets.of(limit, _rate(options)))


def _rfc2136(options: Mapping[str, Any], _buckets: Buckets) -> Provider:
    from .rfc2136 import Rfc2136

    return Rfc2136(options)


#: The value of the option ``provider``, which is also the name of the option with the provider's own, and what
#: makes the provider from those.
_PROVIDERS: dict[str, Callable[[Mapping[str, Any], Buckets], Provider]] = {
    "route53": _route53,
    "cloud_dns": _cloud_dns,
    "rfc2136": _rfc2136,
}
