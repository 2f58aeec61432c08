# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.certfleet.acme.plugins.module_utils._acme.hosts import Hosts
from ansible_collections.certfleet.acme.plugins.module_utils._errors import CertfleetError

from .scripted import scripted_ca

DIRECTORY = "https://ca.example/directory"


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("https://ca.example/order/1", True),
        ("https://CA.example:443/order/1", True),
        ("https://ca.example", True),
        ("http://ca.example/order/1", False),
        ("https://ca.example:8443/order/1", False),
        ("https://ca.example.evil.example/", False),
        ("https://ca.example@evil.example/", False),
        ("https://someone@ca.example/", False),
        ("https://ca.example\\@evil.example/", False),
        ("https://evil.example\\.ca.example/", False),
        ("https://ca.ex\tample/", False),
        ("https://ca.example/\r\nX: y", False),
        ("https://ca.example:99999999/", False),
        ("https://c\u0430.example/", False),
        ("https://[::1]/", False),
        ("//ca.example/order", False),
        ("/order/1", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_only_the_directorys_host_is_asked(url: str, holds: bool) -> None:
    hosts = Hosts(DIRECTORY)
    assert hosts.holds(url) == holds
    if not holds:
        with pytest.raises(CertfleetError, match=r"another host than the directory https://ca\.example/directory"):
            hosts.check(url)


def test_hosts_can_be_allowed_by_name_and_port() -> None:
    hosts = Hosts(DIRECTORY, ["Other.example", "third.example:8443", "[::1]:14000"])
    for url in ("https://other.example/x", "https://third.example:8443/", "https://[::1]:14000/dir"):
        assert hosts.holds(url)
    for url in ("http://other.example/x", "https://third.example/", "https://[::1]/"):
        assert not hosts.holds(url)


@pytest.mark.parametrize("entry", ["https://other.example", "other.example/path", "*.example", "", "a b", "x:port"])
def test_what_is_no_host_is_told_before_anything_is_sent(entry: str) -> None:
    with scripted_ca() as ca:
        with pytest.raises(CertfleetError, match=r"allowed_hosts: '.*' is not a host name"):
            ca.session(allowed_hosts=[entry])
        assert ca.asked == []


def test_nothing_is_sent_to_another_host() -> None:
    with scripted_ca() as ca, scripted_ca() as other:
        session = ca.session()
        for url in (f"{other.url}/thing", ca.url.replace("http", "https") + "/thing", "file:///etc/passwd"):
            with pytest.raises(CertfleetError, match="another host than the directory"):
                session.read(url, doing="it")
            with pytest.raises(CertfleetError, match="another host than the directory"):
                session.network.fetch(url, session.deadline())
        session.network.new_nonce_url = f"{other.url}/nonce"
        with pytest.raises(CertfleetError, match="another host than the directory"):
            session.read(f"{ca.url}/thing", doing="it")
        assert other.asked == []
        assert ca.paths() == ["/directory"]


def test_the_directory_may_move_from_http_to_https_of_its_own_host_only() -> None:
    hosts = Hosts("http://ca.example/directory")
    assert not hosts.move("https://evil.example/directory")
    assert hosts.move("https://ca.example/directory")
    assert hosts.holds("https://ca.example/order")
    assert not Hosts(DIRECTORY).move("http://ca.example/directory")
