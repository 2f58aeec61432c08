# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option starttls; mirrored by the documentation of the modules that have it."""

from __future__ import annotations

from typing import Any

#: In the order of starttls.PROTOCOLS, which is not imported here: the options of every module on the host need this.
PROTOCOL_NAMES = ("smtp", "imap", "pop3", "ldap", "postgres")

STARTTLS_ARGSPEC: dict[str, dict[str, Any]] = {"starttls": {"type": "str", "choices": list(PROTOCOL_NAMES)}}
