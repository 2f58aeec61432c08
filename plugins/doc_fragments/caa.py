# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the check of CAA; mirrors module_utils/_caa/argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    # Under which names the CA issues.
    DOCUMENTATION = r"""
options:
  caa_identities:
    description:
      - The issuer domain names that CAA records know the CA under, such as V(letsencrypt.org).
      - Without it, those that the CA's directory lists (C(caaIdentities)).
    type: list
    elements: str
    default: []
"""

    # What to do with the answer, for modules that make orders.
    ORDERS = r"""
options:
  caa:
    description:
      - Whether to look, before the order, at the CAA records (RFC 8659) of the names, with C(accounturi) and
        C(validationmethods) (RFC 8657), as the CA will.
      - V(warn) adds what they forbid to the warnings of the certificate and orders all the same.
      - V(refuse) makes the certificate fail without an order when they forbid it. What cannot be told is a warning.
      - V(ignore) does not look.
    type: str
    choices: [ignore, warn, refuse]
    default: warn
"""
