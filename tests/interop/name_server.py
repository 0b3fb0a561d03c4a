"""A name server that knows one name, of IPv4: name_server.py LISTEN_HOST NAME ADDRESS."""

from __future__ import annotations

import socket
import sys

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

host, name, address = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind((host, 53))
    print("listening", flush=True)
    while True:
        datagram, source = sock.recvfrom(4_096)
        query = dns.message.from_wire(datagram)
        reply = dns.message.make_response(query)
        question = query.question[0]
        if question.name.to_text() == f"{name}." and question.rdtype == dns.rdatatype.A:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", address))
        sock.sendto(reply.to_wire(), source)
