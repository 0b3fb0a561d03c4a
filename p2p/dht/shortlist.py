"""The candidates of a search in order of their distance to its target: the `NodeHeap` of `kademlia`, kept sorted, which
knows its members without a search.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from kademlia.node import Node, NodeHeap

from p2p.dht.contact import Contact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from p2p.ids import NodeId


class Shortlist(NodeHeap):
    """Contacts by their distance to a target, sorted; `maxsize` of them count. The base's heap, kept in order."""

    def __init__(self, target: NodeId, maxsize: int) -> None:
        super().__init__(Node(target), maxsize)
        self._members: dict[bytes, Contact] = {}

    def push(self, nodes: Contact | Iterable[Contact]) -> None:
        """Take in contacts; one whose id is there already changes nothing."""
        for node in (nodes,) if isinstance(nodes, Contact) else nodes:
            if node.id not in self._members:
                self._members[node.id] = node
                insort(self.heap, (self.node.long_id ^ node.long_id, node))

    def remove(self, peers: Iterable[bytes]) -> None:
        gone = dict.fromkeys(peers)
        self.heap = [entry for entry in self.heap if entry[1].id not in gone]
        for node_id in gone:
            self._members.pop(node_id, None)

    def trim(self, most: int) -> list[Contact]:
        """Drop, and return, the farthest beyond `most`."""
        dropped = [node for _, node in self.heap[most:]]
        del self.heap[most:]
        for node in dropped:
            del self._members[node.id]
        return dropped

    def popleft(self) -> Contact | None:
        if not self.heap:
            return None
        node: Contact = self.heap.pop(0)[1]
        del self._members[node.id]
        return node

    def get_node(self, node_id: bytes) -> Contact | None:
        return self._members.get(node_id)

    def sorted(self) -> Iterator[Contact]:
        """All of them, the nearest first."""
        return (node for _, node in self.heap)

    def __iter__(self) -> Iterator[Contact]:
        """The nearest `maxsize`, in order."""
        return iter([node for _, node in self.heap[: self.maxsize]])

    def __contains__(self, node: Node) -> bool:
        return node.id in self._members
