# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The third-party imports of this room, in one place, so that their absence becomes one clear message."""

from __future__ import annotations

CRYPTOGRAPHY_IMPORT_ERROR: ImportError | None = None
try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
except ImportError as error:
    CRYPTOGRAPHY_IMPORT_ERROR = error
    ec = hashes = rsa = serialization = x509 = None  # type: ignore[assignment]

__all__ = ["CRYPTOGRAPHY_IMPORT_ERROR", "ec", "hashes", "rsa", "serialization", "x509"]
