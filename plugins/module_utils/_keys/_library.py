# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The third-party libraries of this room, or why they are missing. Everything else here imports them from this file."""

from __future__ import annotations

from typing import Any

jose: Any = None
serialization: Any = None
ec: Any = None
rsa: Any = None
UnsupportedAlgorithm: Any = NotImplementedError  # never raised here without the library
IMPORT_ERROR: ImportError | None = None
try:
    import josepy
    from cryptography import exceptions as _exceptions
    from cryptography.hazmat.primitives import serialization as _serialization
    from cryptography.hazmat.primitives.asymmetric import ec as _ec
    from cryptography.hazmat.primitives.asymmetric import rsa as _rsa
except ImportError as error:
    IMPORT_ERROR = error
else:
    jose, serialization, ec, rsa = josepy, _serialization, _ec, _rsa
    UnsupportedAlgorithm = _exceptions.UnsupportedAlgorithm
