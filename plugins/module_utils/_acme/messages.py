# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the library's messages lack."""

from __future__ import annotations

from . import _library as library


class NewOrder(library.Order):
    """newOrder with what RFC 8555 section 7.4 and RFC 9773 section 5 allow in it.

    replaces: the replaced certificate's identifier (RFC 9773 section 4.1). notBefore, notAfter: RFC 3339.
    """

    replaces: str | None = library.field("replaces", omitempty=True)
    not_before: str | None = library.field("notBefore", omitempty=True)
    not_after: str | None = library.field("notAfter", omitempty=True)


class StatusUpdate(library.Message):
    """The request that deactivates an account or an authorization (RFC 8555 sections 7.3.6 and 7.5.2)."""

    status: str = library.field("status")


class Revocation(library.Revocation):
    """revokeCert; without a reason when none is given (RFC 8555 section 7.6)."""

    reason: int | None = library.field("reason", omitempty=True)
