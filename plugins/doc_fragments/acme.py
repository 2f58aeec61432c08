# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of everything that talks to a CA; mirrors module_utils/_acme/argspec.py and chains.py."""

from __future__ import annotations


class ModuleDocFragment:
    # The CA itself.
    DOCUMENTATION = r"""
options:
  acme_directory:
    description:
      - URL of the CA's ACME directory (RFC 8555).
      - All addresses that the CA sends later must be on the same host, or on one of O(allowed_hosts).
    type: str
    required: true
  validate_certs:
    description: Whether the TLS certificate of the CA's server is checked. Turn it off for tests only.
    type: bool
    default: true
  ca_path:
    description:
      - File of PEM certificates, or directory of hashed ones, that the TLS certificate of the CA's server must lead to.
      - Without it, the certificates that the Python library requests uses, which C(REQUESTS_CA_BUNDLE) in the
        environment can replace. With it, the environment is not asked.
    type: path
  request_timeout:
    description:
      - Seconds that one request may take, from connecting to the last byte of its answer. Some CAs validate while the
        request waits. One at least.
    type: int
    default: 30
  timeout:
    description:
      - Seconds that the CA may take for one thing, repetitions included, such as one request or the validation and
        issuance of one certificate. One at least. Waiting for DNS has its own limit.
      - A CA that asks to wait longer (C(Retry-After)) is not waited for, see O(retry_after_max).
    type: int
    default: 300
  retry_after_max:
    description:
      - The longest wait, in seconds, that the CA may ask for with C(Retry-After), in seconds or as a date.
      - When it asks for more, the error names the instant at which to go on, and C(retry_at) of the result has it.
        Without this option that is so when it asks for more than O(timeout) leaves. With V(0) no such
        wait is made.
    type: int
  allowed_hosts:
    description:
      - Hosts that the CA's addresses may be on beside that of O(acme_directory), with a port when it is not the usual
        one, such as V(acme-api.example.com:8443). Only for a CA that is known to use several.
      - Nothing is sent to any other host, and redirects to others are not followed.
    type: list
    elements: str
notes:
  - Runs where the account key is, usually on the controller or in an execution environment
    (C(delegate_to) with C(localhost)).
  - Requests that are cut, or answered with HTTP status 429, 500, 502, 503 or 504, are sent again within O(timeout). One
    that may have been carried out although its answer was lost is not sent twice where that would matter; what became
    of it is asked first.
  - Proxies of the environment (C(https_proxy), C(no_proxy)) are used.
requirements:
  - acme >= 5.0
  - cryptography
"""

    # The account key.
    ACCOUNT = r"""
options:
  account_key_src:
    description:
      - File with the account's private key in PEM, ECDSA on P-256, P-384 or (where the CA takes it) P-521, or RSA with
        2048 to 4096 bits.
      - One of O(account_key_src) and O(account_key_content) is needed.
    type: path
  account_key_content:
    description: The account's private key in PEM. It is not written anywhere.
    type: str
  account_key_passphrase:
    description: Passphrase of the account key, when it is encrypted.
    type: str
  account_uri:
    description:
      - URL of the account, to be sure that the key is the right one. The module fails when the CA knows the key under
        another URL, and never creates an account then.
    type: str
"""

    # How an account comes to be.
    CREATION = r"""
options:
  contact:
    description:
      - How the CA can reach you, as URLs such as V(mailto:ops@example.com); a plain e-mail address will do.
      - Used for a new account; M(certfleet.acme.acme_account) also brings an existing one up to date.
    type: list
    elements: str
  terms_agreed:
    description: Whether you agree to the CA's terms of service. Many CAs create no account without.
    type: bool
    default: false
  allow_creation:
    description: Whether an account may be created when the CA has none for the key.
    type: bool
    default: true
  external_account_binding:
    description: Binds a new account to one that you have with the CA by other means. Ignored for existing accounts.
    type: dict
    suboptions:
      kid:
        description: The key identifier that the CA gave you.
        type: str
        required: true
      key:
        description: The MAC key that the CA gave you, base64url.
        type: str
        required: true
      alg:
        description: The MAC algorithm.
        type: str
        choices: [HS256, HS384, HS512]
        default: HS256
  generate_account_key:
    description:
      - Whether to make a new account key at O(account_key_src), mode C(0600), when there is no file. An existing file
        is never replaced.
      - Keep the file. Without it the account is lost.
    type: bool
    default: false
  account_key_type:
    description: The kind of key that O(generate_account_key) makes.
    type: str
    choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096]
    default: ecdsa-p256
"""
