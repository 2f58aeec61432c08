# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""acme_certificate without its module: what a thread can call, so that many wait at once."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError
from ansible_collections.certfleet.acme.plugins.module_utils._issuance import issue_certificates
from ansible_collections.certfleet.acme.plugins.module_utils._issuance_module import ISSUANCE_ARGSPEC


def issue(options: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of the module's options. What concerns all certificates becomes the failure of each."""
    found = ArgumentSpecValidator(ISSUANCE_ARGSPEC).validate(options)
    assert not found.error_messages, found.error_messages
    try:
        return issue_certificates(found.validated_parameters).certificates
    except CertfleetError as error:
        return [{**spec, **error.as_result()} for spec in options["certificates"]]
