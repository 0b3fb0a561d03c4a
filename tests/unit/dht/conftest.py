"""Nodes joined by a wire in memory, in a time that the test moves."""

from __future__ import annotations

import random
from heapq import heappop, heappush
from itertools import count

import pytest

from p2p.dht.node import DhtNode
from p2p.dht.node_id import id_for, random_id, reach
from p2p.ids import Address


class Wire:
    """Delivers the datagrams of its nodes after `delay` seconds; `dead` addresses take nothing and say nothing."""

    def __init__(self, seed=1, delay=0.01):
        self.rng = random.Random(seed)
        self.now = 0.0
        self.delay = delay
        self.nodes = {}
        self.events = {}
        self.dead = {}
        self.sent = []
        """(time, datagram, from, to) of everything that was sent."""
        self._planned = []
        self._order = count()

    def node(self, host, port=6881, *, ipv6_host=None, **options):
        """A node at an address, with an id that is for it."""
        hosts = [host] if ipv6_host is None else [host, ipv6_host]
        ids = {":" in each: random_id(self.rng) if reach(each).is_local else id_for(each, self.rng) for each in hosts}
        made = DhtNode(
            ids, rng=random.Random(self.rng.random()), secret=self.rng.randbytes(16), now=self.now, **options
        )
        events = []
        for each in hosts:
            self.nodes[Address(each, port)] = made
            self.events[Address(each, port)] = events
        return made

    def address(self, node, *, ipv6=False):
        return next(address for address, each in self.nodes.items() if each is node and address.is_ipv6 == ipv6)

    def heard(self, node, kind):
        """Events of a kind that the node has told."""
        self.flush()
        return [event for event in self.events[self.address(node)] if isinstance(event, kind)]

    def flush(self):
        for address, node in self.nodes.items():
            while ready := node.datagrams_to_send():
                for datagram, to in ready:
                    source = self.address(node, ipv6=to.is_ipv6)
                    self.sent.append((self.now, datagram, source, to))
                    heappush(self._planned, (self.now + self.delay, next(self._order), datagram, source, to))
            while (event := node.next_event()) is not None:
                self.events[address].append(event)

    def run(self, seconds):
        """Let so much time pass."""
        end = self.now + seconds
        self.flush()
        while True:
            alive = {id(node): node for address, node in self.nodes.items() if address not in self.dead}
            timers = [(node.next_timer(), index, node) for index, node in enumerate(alive.values())]
            when = min([timer[0] for timer in timers] + [self._planned[0][0] if self._planned else end])
            if when >= end:
                break
            self.now = max(when, self.now)
            if self._planned and self._planned[0][0] <= self.now:
                _, _, datagram, source, to = heappop(self._planned)
                if to in self.nodes and to not in self.dead:
                    self.nodes[to].receive_datagram(datagram, source, self.now)
            else:
                node = min(timers, key=lambda timer: timer[:2])[2]
                node.on_timer(self.now)
                assert node.next_timer() > self.now
            self.flush()
        self.now = end

    def network(self, size, *, host="20.{}.0.1"):
        """So many nodes that have joined one another, one after the other."""
        nodes = []
        for number in range(size):
            made = self.node(host.format(number))
            made.bootstrap([self.address(self.rng.choice(nodes))] if nodes else [], self.now)
            nodes.append(made)
            self.run(0.5)
        self.run(2.0)
        return nodes


@pytest.fixture
def wire():
    return Wire()
