# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The third-party libraries of this room, or why they are missing. Everything else here imports them from this file."""

from __future__ import annotations

from typing import Any

jose: Any = None
jws: Any = None
requests: Any = None
urllib3: Any = None
challenges: Any = None
messages: Any = None
x509: Any = None
#: Bases of this room's classes. Without the library they are stand-ins that nobody uses: modules ask require() first.
ClientNetwork: Any = object
Order: Any = object
Revocation: Any = object
Message: Any = object
HTTPAdapter: Any = object
HTTPConnection: Any = object
HTTPSConnection: Any = object
HTTPConnectionPool: Any = object
HTTPSConnectionPool: Any = object
IMPORT_ERROR: ImportError | None = None
try:
    import josepy
    import requests as _requests
    import urllib3 as _urllib3
    from acme import challenges as _challenges
    from acme import client as _client
    from acme import jws as _jws
    from acme import messages as _messages
    from cryptography import x509 as _x509
    from requests.adapters import HTTPAdapter as _HTTPAdapter
    from urllib3 import connection as _connection
    from urllib3 import connectionpool as _connectionpool
except ImportError as error:
    IMPORT_ERROR = error
else:
    jose, jws, requests, urllib3 = josepy, _jws, _requests, _urllib3
    challenges, messages, x509 = _challenges, _messages, _x509
    ClientNetwork, Message = _client.ClientNetwork, josepy.JSONObjectWithFields
    Order, Revocation = _messages.NewOrder, _messages.Revocation
    HTTPAdapter = _HTTPAdapter
    HTTPConnection, HTTPSConnection = _connection.HTTPConnection, _connection.HTTPSConnection
    HTTPConnectionPool, HTTPSConnectionPool = _connectionpool.HTTPConnectionPool, _connectionpool.HTTPSConnectionPool


def field(*args: Any, **kwargs: Any) -> Any:
    """josepy's field of a message; nothing without the library."""
    return jose.field(*args, **kwargs) if jose else None
