# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with a cloud, by what can be done about it."""

from __future__ import annotations

from .._errors import CertfleetError


class ProviderError(CertfleetError):
    """A provider refused or failed for everything asked of it: credentials, permissions, network.

    fatal: True when the same will happen to every further request (refused credentials, unreachable endpoint), of what
    is sent again when that was in vain;
    unsure: True when the request may have been carried out all the same (its answer was lost).
    """

    def __init__(self, message: str, *, remedy: str = "", fatal: bool = False, unsure: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.fatal = fatal
        self.unsure = unsure


class ProviderBusy(ProviderError):
    """The provider asked to come back later, and still did after the library's own retries.

    divisible: True when it may be the names of the batch that are too much, so that a part of them may do.
    """

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        fatal: bool = False,
        unsure: bool = False,
        divisible: bool = False,
    ) -> None:
        super().__init__(message, remedy=remedy, fatal=fatal, unsure=unsure)
        self.divisible = divisible


class Denied(ProviderError):
    """Permissions refuse the request. They may depend on the names in it, so a part of the batch may be allowed."""
