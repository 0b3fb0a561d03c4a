"""Holds a socket to one network interface, so that the kernel sends by no other whatever its routes say.

The rule: a socket that cannot be held is not used. A near address alone does not hold it: the kernel picks the way by
the far one, and would send the packets of a tunnel that is down by any other link.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Final

IP_BOUND_IF: Final = 25
IPV6_BOUND_IF: Final = 125
"""Of macOS (netinet/in.h, netinet6/in6.h), which Python does not name."""


def hold_to_device(sock: socket.socket, name: str) -> None:
    """Before it is bound or connected. Raises OSError where there is no such interface, or the system has no way."""
    option = getattr(socket, "SO_BINDTODEVICE", None)
    if option is not None:  # Linux; without privileges from 5.7 on
        sock.setsockopt(socket.SOL_SOCKET, option, name.encode())
    elif sys.platform == "darwin":
        level, number = socket.IPPROTO_IP, IP_BOUND_IF
        if sock.family is socket.AF_INET6:
            level, number = socket.IPPROTO_IPV6, IPV6_BOUND_IF
        sock.setsockopt(level, number, socket.if_nametoindex(name))
    else:
        raise OSError(errno.ENOTSUP, "this system cannot hold a socket to an interface")
