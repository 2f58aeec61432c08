# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error that every room raises for something an operator can act on."""

from __future__ import annotations

from typing import Any


class CertfleetError(Exception):
    """A failure that names the thing, the cause and the way out.

    message: what failed and why, one line, without a full stop at its end.
    remedy:  what the operator can do, one line; may be empty.
    details: further public facts for the result, JSON types only. Never a secret.
    """

    def __init__(self, message: str, *, remedy: str = "", **details: Any) -> None:
        self.message = _one_line(message)
        self.remedy = _one_line(remedy)
        self.details: dict[str, Any] = details
        super().__init__(self.message)

    def __str__(self) -> str:
        if not self.remedy:
            return self.message
        return f"{self.message.rstrip('.')}. {self.remedy}"

    def as_result(self) -> dict[str, Any]:
        """The error as the result of one item of a batch."""
        return {**self.details, "changed": False, "failed": True, "msg": str(self)}


def _one_line(text: str) -> str:
    return " ".join(text.split())
