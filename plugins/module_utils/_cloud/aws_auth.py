# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client for a service of AWS from the options, with credentials that renew themselves and are written nowhere."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from typing import Any, Callable

from .._errors import CertfleetError
from . import _library
from .aws_errors import Service, explain
from .aws_roles import Role, roles
from .errors import ProviderError
from .sts_errors import explain_sts

#: Attempts of one request within botocore; a busy account is tried again by the writer after that.
_ATTEMPTS = 5
_CONNECT_TIMEOUT = 5
_READ_TIMEOUT = 30
#: Seconds before its end from which a role's credentials are renewed if that works, and from which it must work.
#: botocore's own 15 and 10 minutes would ask STS before each request of a session of 15 minutes, the shortest.
_RENEW_FROM = 300
_RENEW_AT_LAST = 120
#: Web identity tokens that STS takes have at most this many characters (STS API Reference).
_TOKEN_MAX = 20000


def connect(options: Mapping[str, Any], service: Service, *, attempts: int | None = None) -> Any:
    """A boto3 client from the AWS options. Sends nothing to the service or STS: roles are assumed before the first
    request. attempts: of one request, within botocore. Raises CertfleetError, MissingLibrary."""
    boto3 = _library.aws()
    core = _library.aws_core()
    chain = roles(options, os.environ)
    if options.get("aws_ca_bundle"):
        _check_readable(options["aws_ca_bundle"])
    for role in chain:
        if role.token_file:
            _token(role)
    try:
        inner = _inner_session(core, options)
        keys = _keys(options)
        if chain:
            provider = _Provider(_credentials(core, inner, options, chain))
            inner.register_component("credential_provider", core.credentials.CredentialResolver([provider]))
            keys = {}
        session = boto3.session.Session(botocore_session=inner, **keys)
        region = session.region_name or service.region
        if not region:
            raise CertfleetError(
                f"no AWS region is given for {service.title}",
                remedy="Give region, or the environment variable AWS_REGION.",
            )
        return session.client(
            service.name,
            region_name=region,
            endpoint_url=options.get("endpoint_url"),
            verify=options.get("aws_ca_bundle"),
            config=_config(core, attempts),
        )
    except core.exceptions.BotoCoreError as error:
        raise explain(error, service) from error
    except ValueError as error:
        raise CertfleetError(f"endpoint_url {options.get('endpoint_url')!r} cannot be used: {error}") from error


def _keys(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "aws_access_key_id": options.get("access_key"),
        "aws_secret_access_key": options.get("secret_key"),
        "aws_session_token": options.get("session_token"),
    }


def _inner_session(core: Any, options: Mapping[str, Any]) -> Any:
    """A botocore session of its own. The CA bundle is set in it so that it holds for STS too, where botocore asks it
    by itself for the roles of profiles."""
    inner = core.session.get_session()
    for name, value in (
        ("profile", options.get("profile")),
        ("region", options.get("region")),
        ("ca_bundle", options.get("aws_ca_bundle")),
    ):
        if value:
            inner.set_config_variable(name, value)
    return inner


def _config(core: Any, attempts: int | None = None) -> Any:
    return core.config.Config(
        retries={"mode": "standard", "total_max_attempts": attempts or _ATTEMPTS},
        connect_timeout=_CONNECT_TIMEOUT,
        read_timeout=_READ_TIMEOUT,
        user_agent_extra="certfleet.acme",
    )


def _check_readable(path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise CertfleetError(f"aws_ca_bundle {path} cannot be read: {error.strerror}") from error


def _token(role: Role) -> str:
    """The web identity token, as it is in its file now. What writes it may end it with a newline, which STS refuses."""
    what = f"the web identity token file {role.token_file} for the role {role.arn}"
    try:
        with open(role.token_file, encoding="ascii") as stream:
            token = stream.read(_TOKEN_MAX + 1).strip()
    except OSError as error:
        raise ProviderError(f"{what} cannot be read: {error.strerror}", fatal=True) from error
    except ValueError:
        token = ""
    if not 4 <= len(token) <= _TOKEN_MAX or len(token.split()) != 1:
        # Without the cause: its text would quote the file.
        raise ProviderError(f"{what} has no token in it", remedy="It must hold a JSON Web Token alone.", fatal=True)
    return token


class _Provider:
    """What botocore asks for credentials in the place of its own chain."""

    METHOD = CANONICAL_NAME = "certfleet"

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load(self) -> Any:
        return self._credentials


def _credentials(core: Any, inner: Any, options: Mapping[str, Any], chain: list[Role]) -> Any:
    """Credentials of the last role. Each role is assumed with those of the one before it, the first one with a token
    or with what botocore finds from the keys, the profile or by itself."""

    def client(service: str, **more: Any) -> Any:
        config = _config(core)
        return inner.create_client(
            service,
            region_name=inner.get_config_variable("region") or "us-east-1",
            endpoint_url=options.get("sts_endpoint_url") or None,
            verify=options.get("aws_ca_bundle"),
            **{**more, "config": config.merge(more["config"]) if "config" in more else config},
        )

    def own() -> Any:
        source = _inner_session(core, options)
        keys = _keys(options)
        if keys["aws_access_key_id"]:
            source.set_credentials(*keys.values())
        return source.get_credentials()

    source: Callable[[], Any] = own
    for role in chain:
        credentials = _Assumed(core, role, client, source).credentials()
        source = _always(credentials)
    return source()


def _always(value: Any) -> Callable[[], Any]:
    return lambda: value


class _Assumed:
    """A role that is assumed when its credentials are first needed, and again before they end."""

    def __init__(self, core: Any, role: Role, client: Callable[..., Any], source: Callable[[], Any]) -> None:
        self._core = core
        self._role = role
        self._client = client
        self._source = source
        self._fetcher: Any = None
        self._sent = ""

    def credentials(self) -> Any:
        """Credentials that botocore renews by itself. They are over from the beginning, so that the first request
        brings real ones."""
        return self._core.credentials.RefreshableCredentials(
            access_key="",
            secret_key="",
            token="",
            expiry_time=datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc),
            refresh_using=self._fetch,
            method="assume-role",
            advisory_timeout=_RENEW_FROM,
            mandatory_timeout=_RENEW_AT_LAST,
        )

    def _fetch(self) -> dict[str, Any]:
        """New credentials from STS. Raises ProviderError, which passes through botocore as it is."""
        role = self._role
        known = self._core.exceptions
        try:
            if self._fetcher is None:
                self._fetcher = self._make_fetcher()
            found: dict[str, Any] = self._fetcher.fetch_credentials()
        except (known.BotoCoreError, known.ClientError) as error:
            problem = explain_sts(error, role.arn, token_file=role.token_file, external_id=bool(role.external_id))
            if self._sent and self._sent in problem.message:
                problem = type(problem)(
                    problem.message.replace(self._sent, "(the token)"), remedy=problem.remedy, fatal=problem.fatal
                )
                # Its cause has the token in it.
                raise problem from None
            raise problem from error
        except OSError as error:
            raise ProviderError(
                f"the credentials to assume the role {role.arn} with cannot be read: {error}", fatal=True
            ) from error
        except ValueError as error:
            raise ProviderError(
                f"the role {role.arn} cannot be assumed: {error}",
                remedy="Check sts_endpoint_url, AWS_ENDPOINT_URL_STS and the region.",
                fatal=True,
            ) from error
        if self._core.utils.parse_timestamp(found["expiry_time"]) <= datetime.datetime.now(datetime.timezone.utc):
            raise ProviderError(
                f"the credentials of the role {role.arn} were over when they came",
                remedy="Set the clock of this machine.",
                fatal=True,
            )
        return found

    def _make_fetcher(self) -> Any:
        role = self._role
        if role.token_file:
            return self._core.credentials.AssumeRoleWithWebIdentityCredentialFetcher(
                self._client, self._load_token, role.arn, extra_args=role.arguments()
            )
        source = self._source()
        if source is None:
            raise ProviderError(
                f"no AWS credentials were found to assume the role {role.arn} with",
                remedy="Give access_key and secret_key, a profile, or web_identity_token_file.",
                fatal=True,
            )
        return self._core.credentials.AssumeRoleCredentialFetcher(
            self._client, source, role.arn, extra_args=role.arguments()
        )

    def _load_token(self) -> str:
        self._sent = _token(self._role)
        return self._sent
