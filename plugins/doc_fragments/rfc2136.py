# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of what sends dynamic updates; mirrors RFC2136_ARGSPEC of module_utils/_dns/argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  server:
    description:
      - The primary name server of the zones, as C(host:port). Required.
    type: str
  key_name:
    description: The name of the TSIG key. Without one, updates are not signed.
    type: str
  key_secret:
    description: The TSIG key in base64.
    type: str
  key_algorithm:
    description: The algorithm of the TSIG key.
    type: str
    choices: [hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512]
    default: hmac-sha256
requirements:
  - dnspython >= 2.4
"""
