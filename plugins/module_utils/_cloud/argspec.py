# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Options that say who we are to AWS and Google."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import env_fallback

#: Spelled, with aliases and environment variables, as in amazon.aws, because credentials are injected that way.
AWS_ARGSPEC: dict[str, dict[str, Any]] = {
    "access_key": {
        "type": "str",
        "aliases": ["aws_access_key_id", "aws_access_key"],
        "fallback": (env_fallback, ["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]),
        "no_log": False,
    },
    "secret_key": {
        "type": "str",
        "aliases": ["aws_secret_access_key", "aws_secret_key"],
        "fallback": (env_fallback, ["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"]),
        "no_log": True,
    },
    "session_token": {
        "type": "str",
        "aliases": ["aws_session_token"],
        "fallback": (env_fallback, ["AWS_SESSION_TOKEN"]),
        "no_log": True,
    },
    "profile": {
        "type": "str",
        "aliases": ["aws_profile"],
        "fallback": (env_fallback, ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]),
    },
    "region": {
        "type": "str",
        "aliases": ["aws_region"],
        "fallback": (env_fallback, ["AWS_REGION", "AWS_DEFAULT_REGION"]),
    },
    "endpoint_url": {
        "type": "str",
        "aliases": ["aws_endpoint_url"],
        "fallback": (env_fallback, ["AWS_URL"]),
    },
    "aws_ca_bundle": {"type": "path", "fallback": (env_fallback, ["AWS_CA_BUNDLE"])},
    # What the environment says of roles belongs together, so aws_roles.py reads it and not a fallback for each.
    "assume_role_arn": {"type": "str", "aliases": ["iam_role_arn"]},
    "external_id": {"type": "str"},
    "role_session_name": {"type": "str"},
    "duration_seconds": {"type": "int"},
    # The name of a file, to be seen in messages; what is in it never is.
    "web_identity_token_file": {"type": "path", "no_log": False},
    "sts_endpoint_url": {"type": "str"},
}

#: Spelled, with environment variables, as in google.cloud, because credentials are injected that way.
GOOGLE_ARGSPEC: dict[str, dict[str, Any]] = {
    "project": {"type": "str", "fallback": (env_fallback, ["GCP_PROJECT"])},
    "auth_kind": {
        "type": "str",
        "choices": ["application", "serviceaccount", "accesstoken"],
        "fallback": (env_fallback, ["GCP_AUTH_KIND"]),
    },
    "service_account_file": {"type": "path", "fallback": (env_fallback, ["GCP_SERVICE_ACCOUNT_FILE"])},
    "service_account_contents": {
        # Not jsonarg: it would make one text of a mapping after Ansible has looked for what to hide.
        "type": "raw",
        "fallback": (env_fallback, ["GCP_SERVICE_ACCOUNT_CONTENTS"]),
        "no_log": True,
    },
    "access_token": {"type": "str", "fallback": (env_fallback, ["GCP_ACCESS_TOKEN"]), "no_log": True},
    "impersonate_service_account": {"type": "str"},
    "scopes": {"type": "list", "elements": "str", "fallback": (env_fallback, ["GCP_SCOPES"])},
    "api_endpoint": {"type": "str"},
}
