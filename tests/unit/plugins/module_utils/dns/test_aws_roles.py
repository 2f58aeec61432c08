# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which roles are assumed, and which options are refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._cloud.aws_roles import Role, roles
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

ARN = "arn:aws:iam::123456789012:role/acme-dns"
PODS = "arn:aws:iam::210987654321:role/team/pod"
KEYS = {"access_key": "AKIA", "secret_key": "s"}
POD = {"AWS_ROLE_ARN": PODS, "AWS_WEB_IDENTITY_TOKEN_FILE": "/pod/token"}


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        ({}, {}, []),
        (KEYS, {}, []),
        # A role in the environment means something beside a token file only, as in the AWS SDKs.
        ({}, {"AWS_ROLE_ARN": PODS}, []),
        (KEYS, POD, []),
        ({"profile": "p"}, POD, []),
        ({**KEYS, "assume_role_arn": ARN}, {}, [(ARN, "")]),
        ({"assume_role_arn": ARN}, {}, [(ARN, "")]),
        ({**KEYS, "assume_role_arn": ARN}, POD, [(ARN, "")]),
        ({}, POD, [(PODS, "/pod/token")]),
        ({"assume_role_arn": ARN}, POD, [(PODS, "/pod/token"), (ARN, "")]),
        ({"assume_role_arn": PODS}, POD, [(PODS, "/pod/token")]),
        ({"assume_role_arn": ARN}, {"AWS_WEB_IDENTITY_TOKEN_FILE": "/pod/token"}, [(ARN, "/pod/token")]),
        ({"assume_role_arn": ARN, "web_identity_token_file": "/t"}, {}, [(ARN, "/t")]),
        ({"assume_role_arn": ARN, "web_identity_token_file": "/t"}, POD, [(ARN, "/t")]),
        ({"web_identity_token_file": "/t"}, POD, [(PODS, "/t")]),
        # What its session would be called says nothing where there is none.
        (KEYS, {"AWS_ROLE_SESSION_NAME": "a b"}, []),
        # Empty, as templates leave what is not set.
        ({"assume_role_arn": "", "web_identity_token_file": "", "external_id": "", "role_session_name": ""}, {}, []),
    ],
)
def test_the_roles_and_their_order(
    options: dict[str, Any], environment: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert [(role.arn, role.token_file) for role in roles(options, environment)] == expected


def test_what_is_asked_of_the_last_role_is_not_asked_of_the_one_before() -> None:
    options = {"assume_role_arn": ARN, "external_id": "ours/1", "duration_seconds": 900, "role_session_name": "me"}
    first, last = roles(options, POD)
    assert first == Role(PODS, "me", token_file="/pod/token")
    assert last.arguments() == {"RoleSessionName": "me", "ExternalId": "ours/1", "DurationSeconds": 900}
    assert first.arguments() == {"RoleSessionName": "me"}


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        ({}, {}, "certfleet"),
        ({}, {"AWX_HOST": "https://awx.example.com", "JOB_ID": "4711"}, "certfleet-awx-4711"),
        # Other programs have jobs too.
        ({}, {"JOB_ID": "4711"}, "certfleet"),
        ({}, {"AWX_HOST": "https://awx.example.com", "JOB_ID": "../x"}, "certfleet"),
        ({}, {"AWS_ROLE_SESSION_NAME": "pod@cluster", "AWX_HOST": "x", "JOB_ID": "1"}, "pod@cluster"),
        ({"role_session_name": "me"}, {"AWS_ROLE_SESSION_NAME": "pod"}, "me"),
    ],
)
def test_the_name_of_the_session(options: dict[str, Any], environment: dict[str, str], expected: str) -> None:
    (role,) = roles({"assume_role_arn": ARN, **options}, environment)
    assert role.session_name == expected


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        ({"external_id": "theirs"}, {}, "external_id is given without a role"),
        ({"external_id": "x1", "duration_seconds": 900}, {}, "external_id and duration_seconds are given without"),
        ({"role_session_name": "me", "profile": "p"}, {}, "role_session_name is given without a role"),
        ({"sts_endpoint_url": "https://sts.example.com"}, {}, "sts_endpoint_url is given without a role"),
        ({**KEYS, "external_id": "x1"}, POD, "external_id is given without a role"),
        ({"web_identity_token_file": "/t"}, {}, "web_identity_token_file is given without a role"),
        ({}, {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, "AWS_WEB_IDENTITY_TOKEN_FILE is set without a role"),
        ({"assume_role_arn": ARN, "web_identity_token_file": "/t", **KEYS}, {}, "AWS access keys are given"),
        ({"assume_role_arn": ARN, "web_identity_token_file": "/t", "profile": "p"}, {}, "an AWS profile are given"),
        ({"assume_role_arn": ARN, "web_identity_token_file": "/t", "external_id": "x1"}, {}, "knows no external id"),
        ({"external_id": "x1"}, POD, "knows no external id"),
        ({"assume_role_arn": ARN, "external_id": "a b"}, {}, "external_id cannot be one"),
        ({"assume_role_arn": ARN, "duration_seconds": 899}, {}, "between 900 and 43200"),
        ({"assume_role_arn": ARN, "duration_seconds": 43201}, {}, "between 900 and 43200"),
        ({"assume_role_arn": ARN, "duration_seconds": 0}, {}, "between 900 and 43200"),
        ({"assume_role_arn": "acme-dns"}, {}, "'acme-dns' is not the ARN of a role"),
        ({"assume_role_arn": "arn:aws:sts::123456789012:assumed-role/a/b"}, {}, "is not the ARN of a role"),
        ({"assume_role_arn": "arn:aws:iam::123456789012:role/a\nb"}, {}, "is not the ARN of a role"),
        ({}, {**POD, "AWS_ROLE_ARN": "pod"}, "'pod' is not the ARN of a role"),
        ({"assume_role_arn": ARN, "role_session_name": "a b"}, {}, "cannot be called 'a b'"),
        ({"assume_role_arn": ARN}, {"AWS_ROLE_SESSION_NAME": "x" * 65}, "AWS_ROLE_SESSION_NAME"),
        ({"assume_role_arn": ARN, "sts_endpoint_url": "sts.example.com"}, {}, "sts_endpoint_url 'sts.example.com'"),
        ({"profile": "p", "access_key": "A"}, {}, "both an AWS profile and AWS access keys"),
        ({"session_token": "t"}, {}, "session_token is given without access_key"),
        ({"session_token": "t", "assume_role_arn": ARN}, POD, "session_token is given without access_key"),
        ({"access_key": "A", "assume_role_arn": ARN}, {}, "belong together"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], environment: dict[str, str], words: str) -> None:
    with pytest.raises(CertfleetError) as caught:
        roles(options, environment)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arn", ["arn:aws-cn:iam::123456789012:role/a", "arn:aws-us-gov:iam::123456789012:role/p/a+b"])
def test_other_partitions(arn: str) -> None:
    assert roles({"assume_role_arn": arn}, {})[0].arn == arn
