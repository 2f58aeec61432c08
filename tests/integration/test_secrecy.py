# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where secrets are, and where no byte of them may be."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519

from tests.integration.fleet import playbook
from tests.integration.providers import pairs, secrets
from tests.lab.api import Lab
from tests.support.host import Host, only


def secret_numbers(pem: bytes) -> list[int]:
    """The numbers of a private key that nobody may learn."""
    key = serialization.load_pem_private_key(pem, None)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return [key.private_numbers().private_value]
    if isinstance(key, x25519.X25519PrivateKey):
        encoding, form = serialization.Encoding.Raw, serialization.PrivateFormat.Raw
        return [int.from_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()), "big")]
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    return [numbers.d, numbers.p, numbers.q]


def spellings(pem: bytes) -> list[bytes]:
    """How a private key could stand in a file or an output: lines of its PEM, its DER, its numbers in several forms."""
    lines = [line for line in pem.splitlines() if line and not line.startswith(b"-----")]
    der = base64.b64decode(b"".join(lines))
    found = [der]
    for number in secret_numbers(pem):
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        found += [raw, raw.hex().encode(), str(number).encode(), base64.urlsafe_b64encode(raw).rstrip(b"=")]
        found += [base64.b64encode(raw[offset:])[:-4] for offset in range(3)]
        # A line of 64 characters is 48 octets; the public half of the key, in other lines, may be anywhere.
        start = der.index(raw)
        found += [
            line
            for number, line in enumerate(lines)
            if min(48 * number + 48, start + len(raw)) - max(48 * number, start) >= 12
        ]
    return found


def holding(secret: bytes, folders: Iterable[Path]) -> set[Path]:
    """Files of these folders that have a spelling of the key in them."""
    needles = spellings(secret)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path for path in files if any(needle in path.read_bytes() for needle in needles)}


def _everything(work: Path) -> dict[str, str]:
    """Settings that write down all that can be, and leave what was sent to the hosts, arguments and all."""
    return {
        "ANSIBLE_KEEP_REMOTE_FILES": "1",
        "ANSIBLE_PIPELINING": "0",
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(work / "fact-cache"),
        "ANSIBLE_LOG_PATH": str(work / "ansible.log"),
    }


@pytest.mark.parametrize("key_type", ["ecdsa-p256", pytest.param("rsa-2048", marks=pytest.mark.thorough)])
def test_the_private_key_is_on_its_host_and_nowhere_else(lab: Lab, tmp_path: Path, key_type: str) -> None:
    store = tmp_path / "store"
    work = tmp_path / "run"
    debug = tmp_path / "all-variables.yml"
    show = {"name": "Show every variable", "ansible.builtin.debug": {"msg": "{{ hostvars[inventory_hostname] }}"}}
    plays = [
        {"import_playbook": "certfleet.acme.site"},
        {"hosts": "web2", "gather_facts": True, "gather_subset": ["min"], "tasks": [show]},
    ]
    debug.write_text(json.dumps(plays), encoding="utf-8")
    name = f"secret-{key_type}"
    done = playbook(
        debug,
        lab.state.inventory,
        work,
        arguments=["--limit", "web2", "-vvv", "--diff"],
        variables={
            "certfleet_store_path": str(store),
            "certfleet_certificates": [
                {
                    "name": name,
                    "identifiers": [f"{name}.example.com"],
                    "key_type": key_type,
                    "formats": ["combined_pem", "der"],
                    "files": [
                        {"path": str(tmp_path / "copy.der"), "source": "privkey.der", "kind": "copy"},
                        {"path": str(tmp_path / "link.pem"), "source": "combined.pem"},
                    ],
                }
            ],
        },
        environment=_everything(work),
    )
    keys = [path for path in store.rglob("privkey.pem") if "current" not in path.parts]
    assert len(keys) == 1
    secret = keys[0].read_bytes()
    assert oct(keys[0].stat().st_mode & 0o777) == "0o600"

    everywhere = [tmp_path, lab.state.root]
    declared = {keys[0], keys[0].with_name("combined.pem"), keys[0].with_name("privkey.der"), tmp_path / "copy.der"}
    assert holding(secret, everywhere) == declared, "the key is in these files only, and the search does find it there"
    assert {oct(path.stat().st_mode & 0o777) for path in declared} == {"0o600"}
    assert (tmp_path / "link.pem").read_bytes() == keys[0].with_name("combined.pem").read_bytes()
    assert list((work / "fact-cache").iterdir()), "facts were cached"
    assert "issue_obtained" in done.output, "registered variables were shown"
    assert list((work / "remote-tmp").rglob("AnsiballZ_certificate_install.py")), "what was sent was kept"
    output = done.output.encode()
    assert not [text for text in spellings(secret) if text in output]


def test_a_shared_key_is_on_its_hosts_and_nowhere_else(lab: Lab, tmp_path: Path) -> None:
    work = tmp_path / "run"
    hosts = {name: Host(tmp_path / name) for name in ("web2", "web3")}
    certificate = {"name": "secret", "identifiers": ["shared-secret.example.com"], "key_location": "shared"}
    # The request of the host that follows is made before, to know what is in it.
    hosts["web3"].root.mkdir()
    asked = only(hosts["web3"].module("certificate_request", certificates=[certificate]))
    pending = hosts["web3"].store / "secret" / "pending"
    own, recipient = ((pending / name).read_bytes() for name in ("privkey.pem", "recipient.pem"))
    assert holding(recipient, [tmp_path, lab.state.root]) == {pending / "recipient.pem"}

    show = {"name": "Show every variable", "ansible.builtin.debug": {"msg": "{{ hostvars[inventory_hostname] }}"}}
    book = tmp_path / "book.yml"
    plays = [{"import_playbook": "certfleet.acme.site"}, {"hosts": "all", "gather_facts": False, "tasks": [show]}]
    book.write_text(json.dumps(plays), encoding="utf-8")
    done = playbook(
        book,
        lab.state.inventory,
        work,
        arguments=["--limit", "web2,web3", "-vvv", "--diff"],
        variables={
            "certfleet_store_path": f"{tmp_path}/{{{{ inventory_hostname }}}}/store",
            "certfleet_certificates": [certificate],
        },
        environment=_everything(work),
    )
    keys = [path for host in hosts.values() for path in host.store.rglob("privkey.pem") if "current" not in path.parts]
    assert len(keys) == 2
    (secret,) = {path.read_bytes() for path in keys}
    assert {oct(path.stat().st_mode & 0o777) for path in keys} == {"0o600"}
    everywhere = [tmp_path, lab.state.root]
    assert holding(secret, everywhere) == set(keys)
    # What the host had made for itself and what it has opened the key with are gone.
    assert holding(own, everywhere) == holding(recipient, everywhere) == set()
    output = done.output.encode()
    for private in (secret, own, recipient):
        assert not [text for text in spellings(private) if text in output]
    # As nobody can read it, what was sent is looked for to know that all would have been found.
    sealed = set(re.findall(r'"sealed_key": "([A-Za-z0-9+/=]{200,})"', done.output))
    assert len(sealed) == 1
    assert [path for path in (work / "remote-tmp").rglob("*.py") if next(iter(sealed)).encode() in path.read_bytes()]
    assert asked["recipient"] in done.output


@pytest.mark.parametrize("lab", pairs(("acme2certifier", "ministack"), ("acme2certifier", "cloud_dns")), indirect=True)
def test_credentials_are_in_no_output(lab: Lab, tmp_path: Path) -> None:
    work = tmp_path / "run"
    done = playbook(
        "certfleet.acme.site",
        lab.state.inventory,
        work,
        arguments=["--limit", "web2", "-vvv", "--diff"],
        variables={
            "certfleet_store_path": str(tmp_path / "store"),
            "certfleet_certificates": [{"name": "quiet", "identifiers": ["quiet.example.com"]}],
        },
        environment={"ANSIBLE_LOG_PATH": str(work / "ansible.log")},
    )
    account_key = (lab.state.root / "controller" / "account.key").read_bytes()
    assert holding(account_key, [tmp_path, lab.state.root]) == {lab.state.root / "controller" / "account.key"}
    assert not [text for text in spellings(account_key) if text in done.output.encode()]
    assert "quiet.example.com" in done.output
    texts = [done.output]
    for name in ("ansible.log", "record.jsonl"):
        text = (work / name).read_text(encoding="utf-8")
        assert "quiet" in text
        texts.append(text)
    for secret in secrets(lab):
        assert not [text for text in texts if secret in text]


@pytest.mark.parametrize("wrong_passphrase", [False, True])
def test_secrets_given_as_variables_are_in_no_output(lab: Lab, tmp_path: Path, wrong_passphrase: bool) -> None:
    work = tmp_path / "run"
    passphrase, binding_key = "correct-horse-battery-staple", "c2VjcmV0LWtleS1vZi10aGUtYmluZGluZw"
    keystore_passphrase = "wrong-pony-capacitor-clip"
    key = ec.generate_private_key(ec.SECP256R1())
    pkcs8 = serialization.PrivateFormat.PKCS8
    encryption = serialization.BestAvailableEncryption(passphrase.encode())
    encrypted = key.private_bytes(serialization.Encoding.PEM, pkcs8, encryption).decode()
    plain = key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption())
    given = passphrase + "-wrong" if wrong_passphrase else passphrase
    inventory = yaml.safe_load(lab.state.inventory.read_text(encoding="utf-8"))
    del inventory["all"]["vars"]["certfleet_account_key_src"]
    without_key = tmp_path / "inventory.yml"
    without_key.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    done = playbook(
        "certfleet.acme.site",
        without_key,
        work,
        arguments=["--limit", "web2", "-vvv", "--diff"],
        variables={
            "certfleet_store_path": str(tmp_path / "store"),
            "certfleet_certificates": [
                {
                    "name": "quiet",
                    "identifiers": ["quiet2.example.com"],
                    "formats": ["pkcs12"],
                    "pkcs12": {"passphrase": keystore_passphrase},
                }
            ],
            "certfleet_account_key_content": encrypted,
            "certfleet_account_key_passphrase": given,
            "certfleet_external_account_binding": {"kid": "the-kid", "key": binding_key, "alg": "HS256"},
            "certfleet_generate_account_key": False,
        },
        environment={"ANSIBLE_LOG_PATH": str(work / "ansible.log")},
        expect=None,
    )
    assert "quiet2.example.com" in done.output
    assert (done.failed != {}) == wrong_passphrase, done.output
    lines = [line for line in encrypted.splitlines() if line and not line.startswith("-----")]
    texts = [done.output, (work / "ansible.log").read_text(encoding="utf-8"), (work / "record.jsonl").read_text()]
    keystores = list((tmp_path / "store").glob("quiet/versions/*/keystore.p12"))
    assert len(keystores) == (0 if wrong_passphrase else 1)
    for path in (path for path in (tmp_path / "store").rglob("*") if path.is_file()):
        assert keystore_passphrase.encode() not in path.read_bytes()
    for secret in [
        *lines,
        given,
        binding_key,
        keystore_passphrase,
        *(text.decode("latin-1") for text in spellings(plain)),
    ]:
        assert not [text for text in texts if secret in text]
