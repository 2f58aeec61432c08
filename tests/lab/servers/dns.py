# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authoritative name server: every answer is what the emulators hold at the moment of the query.

UDP and TCP on the same port. A CNAME is followed as long as its target lies in a zone of the emulator. SOA is
made up (moto's is broken); all else comes from the emulator. A lag can be set while it runs: a value that is new to
the server stays unseen for that many seconds after it was first asked for.
"""

from __future__ import annotations

import json
import socketserver
import struct
import threading
import time
from pathlib import Path
from typing import Any

from dnslib import CAA, CLASS, EDNS0, QTYPE, RCODE, RD, RR, SOA, DNSHeader, DNSLabel, DNSRecord

from ..cloud_dns import Access as CloudAccess
from ..cloud_dns import CloudDns
from ..holdings import Holdings, Snapshot, Source
from ..ports import LOOPBACK
from ..processes import own_command, start
from ..requestlog import RequestLog
from ..route53 import Access, RecordSet, Route53, Route53Error, Zone
from ..state import State, read_json, write_json

NAME = "dns"
LONGEST_CHAIN = 8
UDP_LIMIT = 512
EDNS_LIMIT = 1232


class Lag:
    """Hides values that are new, for the number of seconds that stands in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen_from: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def visible(self, record: RecordSet) -> tuple[str, ...]:
        """The values of a set that the world may see by now."""
        try:
            seconds = float(json.loads(self._path.read_text())["seconds"])
        except (OSError, ValueError, KeyError):
            seconds = 0.0
        now = time.monotonic()
        seen = []
        with self._lock:
            for value in record.values:
                if now >= self._seen_from.setdefault((record.name, record.type, value), now + seconds):
                    seen.append(value)
        return tuple(seen)


class Answerer:
    """Turns a question into an answer with the records of an emulator (RFC 1034 section 4.3.2)."""

    def __init__(self, holdings: Holdings, lag: Lag) -> None:
        self._holdings = holdings
        self._lag = lag

    def answer(self, question: DNSRecord) -> DNSRecord:
        """The whole answer to one query; SERVFAIL when the emulator cannot be read."""
        reply = DNSRecord(DNSHeader(id=question.header.id, qr=1, aa=1, rd=question.header.rd), q=question.q)
        name = str(question.q.qname).rstrip(".").lower()
        wanted = QTYPE.get(question.q.qtype)
        try:
            held = self._holdings.now()
            zone = held.zone_of(name)
            if zone is None:
                reply.header.rcode = RCODE.REFUSED
                reply.header.aa = 0
                return reply
            for _link in range(LONGEST_CHAIN):
                target = self._add(reply, held, zone, name, wanted)
                below = held.zone_of(target) if target else None
                if target is None or below is None:
                    break
                name, zone = target, below
            if not reply.rr:
                reply.add_auth(self._soa(zone))
        except (OSError, Route53Error, ValueError) as error:
            print(f"cannot answer {name} {wanted}: {error}", flush=True)
            reply.header.rcode = RCODE.SERVFAIL
        return reply

    def _add(self, reply: DNSRecord, held: Snapshot, zone: Zone, name: str, wanted: str) -> str | None:
        """Add what the zone says about a name; returns the target when that is a CNAME to follow."""
        if wanted == "SOA" and name == zone.name:
            reply.add_answer(self._soa(zone))
            return None
        sets, exists = held.sets_at(zone, name)
        follow = None
        for record in sets:
            if record.type not in (wanted, "CNAME") and wanted != "ANY":
                continue
            for value in self._lag.visible(record):
                reply.add_answer(*_records(name, record, value))
                if record.type == "CNAME" and wanted not in ("CNAME", "ANY"):
                    follow = value.rstrip(".").lower()
        reply.header.rcode = RCODE.NOERROR if exists else RCODE.NXDOMAIN
        return follow

    @staticmethod
    def _soa(zone: Zone) -> RR:
        data: RD = SOA(f"ns.{zone.name}", f"hostmaster.{zone.name}", (int(time.time()), 7200, 900, 1209600, 5))
        return RR(DNSLabel(zone.name), QTYPE.SOA, CLASS.IN, 5, data)


def _records(name: str, record: RecordSet, value: str) -> list[RR]:
    if record.type == "CAA":  # dnslib takes a semicolon within quotes for the beginning of a comment
        flags, tag, text = value.split(None, 2)
        return [RR(f"{name}.", QTYPE.CAA, CLASS.IN, record.ttl, CAA(int(flags), tag, text.strip('"')))]
    found: list[RR] = RR.fromZone(f"{name}. {record.ttl} IN {record.type} {value}")
    return found


class _Server:
    def __init__(self, answerer: Answerer, log: RequestLog) -> None:
        self.answerer = answerer
        self.log = log

    def handle(self, packet: bytes, transport: str) -> bytes:
        """Answer one packet and record it; UDP answers that do not fit are cut (TC, RFC 2181 section 9)."""
        question = DNSRecord.parse(packet)
        reply = self.answerer.answer(question)
        limit = UDP_LIMIT
        option = next((record for record in question.ar if record.rtype == QTYPE.OPT), None)
        if option is not None:
            # An OPT record's class is the size the client takes (RFC 6891 section 6.1.2).
            limit = max(UDP_LIMIT, min(option.rclass, EDNS_LIMIT))
            reply.add_ar(EDNS0(udp_len=EDNS_LIMIT))
        name = str(question.q.qname).rstrip(".").lower()
        self.log.add(transport, name, RCODE.get(reply.header.rcode), kind=QTYPE.get(question.q.qtype))
        packed: bytes = reply.pack()
        if transport == "UDP" and len(packed) > limit:
            cut = DNSRecord(DNSHeader(id=question.header.id, qr=1, aa=1, tc=1, rd=question.header.rd), q=question.q)
            packed = cut.pack()
        return packed


def serve(state: State) -> None:
    """Run the server in this process until it is ended."""
    settings = read_json(state.settings(NAME))
    sources: list[Source] = [Route53(Access(**settings["access"]))]
    if settings["cloud_dns"]:
        sources.append(CloudDns(CloudAccess(**settings["cloud_dns"])))
    server = _Server(
        Answerer(Holdings(sources, state.writes), Lag(state.settings("dns-lag"))),
        RequestLog(state.requests(NAME), lambda method, path: path),
    )

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, connection = self.request
            connection.sendto(server.handle(data, "UDP"), self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        timeout = 10

        def handle(self) -> None:
            while len(head := self.rfile.read(2)) == 2:
                answer = server.handle(self.rfile.read(struct.unpack("!H", head)[0]), "TCP")
                self.wfile.write(struct.pack("!H", len(answer)) + answer)

    class ThreadedUdp(socketserver.ThreadingUDPServer):
        daemon_threads = True

    class ThreadedTcp(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = 128

    address = (LOOPBACK, settings["port"])
    udp = ThreadedUdp(address, Udp)
    tcp = ThreadedTcp(address, Tcp)
    threading.Thread(target=tcp.serve_forever, daemon=True).start()
    udp.serve_forever()


def launch(state: State, access: Access, cloud_dns: CloudAccess | None, port: int) -> None:
    """Start the server's process for one emulator, and for Cloud DNS where the lab has it."""
    settings: dict[str, Any] = {
        "port": port,
        "access": vars(access),
        "cloud_dns": vars(cloud_dns) if cloud_dns else None,
    }
    write_json(state.settings(NAME), settings)
    set_lag(state, 0.0)
    start(state, NAME, own_command("serve", NAME, str(state.root)))


def set_lag(state: State, seconds: float) -> None:
    """Set for how long a new value stays unseen, from the next query on."""
    write_json(state.settings("dns-lag"), {"seconds": seconds})
