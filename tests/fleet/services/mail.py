# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Postfix and Dovecot, which share a certificate and start TLS within SMTP and IMAP."""

from __future__ import annotations

from tests.fleet.services.service import STORE, Endpoint, Service, Unit, certificate, configuration

_NAME = "mail"
_CURRENT = f"{STORE}/{_NAME}/current"
_POSTFIX = f"""\
compatibility_level = 3.6
myhostname = mail.example.com
mydestination = localhost
mynetworks = 127.0.0.0/8, 192.0.2.0/24
inet_protocols = ipv4
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_chain_files = {_CURRENT}/combined.pem
maillog_file = /var/log/mail.log
alias_maps =
"""
_MASTER = """\
smtp      inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""
_DOVECOT = f"""\
protocols = imap
listen = *
base_dir = /run/dovecot
state_dir = /run/dovecot/state
log_path = /var/log/dovecot.log
login_trusted_networks =
ssl = required
ssl_cert = <{_CURRENT}/fullchain.pem
ssl_key = <{_CURRENT}/privkey.pem
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = nopassword=n
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = 143
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


def service() -> Service:
    """Both, with their one certificate."""
    endpoints = [Endpoint(25, "mail.example.com", "smtp"), Endpoint(143, "mail.example.com", "imap")]
    postfix = Unit("postfix", "postfix start", "postfix reload", "/var/spool/postfix/pid/master.pid")
    dovecot = Unit("dovecot", "dovecot", "doveadm reload", "/run/dovecot/master.pid")
    check = "sh -c 'postfix check && doveconf -n >/dev/null'"
    return Service(
        name="mail",
        units=[postfix, dovecot],
        files=[
            configuration("/etc/postfix/main.cf", _POSTFIX),
            configuration("/etc/postfix/master.cf", _MASTER),
            configuration("/etc/dovecot/dovecot.conf", _DOVECOT),
        ],
        declared=[
            certificate(_NAME, ["mail.example.com"], endpoints, check, ["postfix", "dovecot"], formats=["combined_pem"])
        ],
        endpoints=endpoints,
    )
