# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made of options and entries that say too little."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._dns.factory import build_engine
from ansible_collections.certfleet.acme.plugins.module_utils._dns.model import Outcome
from ansible_collections.certfleet.acme.plugins.module_utils._dns.records import _Item
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

ROUTE53 = {"access_key": "a", "secret_key": "b", "endpoint_url": "http://127.0.0.1:9"}
CLOUD_DNS = {"project": "of-the-tests", "access_token": "t", "api_endpoint": "http://127.0.0.1:9"}


@pytest.mark.parametrize(("kind", "options"), [("route53", ROUTE53), ("cloud_dns", CLOUD_DNS)])
@pytest.mark.parametrize("empty", [None, "", " "])
def test_a_zone_without_its_id_is_refused(kind: str, options: dict[str, Any], empty: Any) -> None:
    entry = {"provider": kind, kind: {**options, "zone_ids": {"example.com": empty}}}
    with pytest.raises(CertfleetError, match=r"no id for example\.com"):
        build_engine({"dns_providers": [entry], "dns_wait": "none"})


def test_the_name_of_an_entry_without_values_is_looked_at_too() -> None:
    """A planned order has its names and no values yet: they are no failure, a bad name is."""
    planned = _Item({"record": "_acme-challenge.Example.com.", "values": []}).result(Outcome())
    assert (planned["record"], planned["failed"]) == ("_acme-challenge.example.com", False)
    bad = _Item({"record": "..bad name..", "values": []}).result(Outcome())
    assert (bad["record"], bad["failed"]) == ("..bad name..", True)
