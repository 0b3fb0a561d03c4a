"""What a key of the configuration may hold: each kind reads a TOML value, says what it allows, and writes itself back.

The rule: a value is either what the kind allows or a ValueError; nothing is bent into shape. Durations are seconds or a
text with a unit, sizes bytes or a text with a unit, and both are written back as they were meant: plain numbers.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from enum import StrEnum

T = TypeVar("T")
E = TypeVar("E", bound="StrEnum")

IpNetwork: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

MAX_TEXT: Final = 4_096
"""Characters of a text, the length of the longest path; nothing else here is as long."""

MAX_ITEMS: Final = 1_000
"""Of a list. Each network is compared with a request's source, so that many would cost what they save."""

_DURATION: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(ms|s|min|h|d|w)")
_DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_NAME: Final = re.compile(r"[A-Za-z0-9_.:{}-]{1,64}")
_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(B|KiB|MiB|GiB|TiB|PiB)")
_SIZE_POWERS: Final = {unit: power for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB"))}


class Kind(Protocol[T]):
    """One kind of value."""

    @property
    def allowed(self) -> str:
        """What may stand there, in words that fit after "must be"."""

    def read(self, value: object) -> T:
        """The value of a TOML value. Raises ValueError for what is not allowed."""

    def write(self, value: T) -> str:
        """As TOML."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds, both included."""

    least: int
    most: int
    unit: str = ""

    @property
    def allowed(self) -> str:
        unit = f" ({self.unit})" if self.unit else ""
        return f"a whole number from {self.least} to {self.most}{unit}"

    def read(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise ValueError(self.allowed)
        return value

    def write(self, value: int) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Number:
    """A number within bounds, both included."""

    least: float
    most: float
    unit: str = ""

    @property
    def allowed(self) -> str:
        unit = f" ({self.unit})" if self.unit else ""
        return f"a number from {self.least:g} to {self.most:g}{unit}"

    def read(self, value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise ValueError(self.allowed)
        return float(value)

    def write(self, value: float) -> str:
        return _number(value)


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds within bounds, as a number or as text such as "30min"."""

    least: float
    most: float

    @property
    def allowed(self) -> str:
        bounds = f"from {_span(self.least)} to {_span(self.most)}"
        return f'seconds {bounds}, as a number or with a unit (ms, s, min, h, d, w) like "30min"'

    def read(self, value: object) -> float:
        if isinstance(value, str) and (found := _DURATION.fullmatch(value)):
            seconds = float(found[1]) * _DURATION_UNITS[found[2]]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = float(value)
        else:
            raise ValueError(self.allowed)
        if not self.least <= seconds <= self.most:
            raise ValueError(self.allowed)
        return seconds

    def write(self, value: float) -> str:
        return _number(value)


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes within bounds, as a number or as text such as "50GiB"."""

    least: int
    most: int

    @property
    def allowed(self) -> str:
        return f'bytes from {self.least} to {self.most}, as a number or with a unit (B, KiB ... PiB) like "50GiB"'

    def read(self, value: object) -> int:
        if isinstance(value, str) and (found := _SIZE.fullmatch(value)):
            size = round(float(found[1]) * (1 << 10 * _SIZE_POWERS[found[2]]))
        elif isinstance(value, int) and not isinstance(value, bool):
            size = value
        else:
            raise ValueError(self.allowed)
        if not self.least <= size <= self.most:
            raise ValueError(self.allowed)
        return size

    def write(self, value: int) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Switch:
    """Yes or no."""

    allowed: str = "true or false"

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError(self.allowed)  # noqa: TRY004 - a value that is not allowed, as all others
        return value

    def write(self, value: bool) -> str:  # noqa: FBT001 - the value itself
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Text:
    """Text on one line, perhaps none."""

    allowed: str = "text on one line"

    def read(self, value: object) -> str:
        if (
            not isinstance(value, str)
            or len(value) > MAX_TEXT
            or any(ord(sign) < 32 or sign == "\x7f" for sign in value)
        ):
            raise ValueError(self.allowed)
        return value

    def write(self, value: str) -> str:
        return json.dumps(value, ensure_ascii=False)  # a basic string of TOML escapes as JSON does


@dataclass(frozen=True, slots=True)
class Secret(Text):
    """Text that nobody is shown."""

    def write(self, value: str) -> str:  # noqa: ARG002 - which is the point
        return '"(hidden)"'


@dataclass(frozen=True, slots=True)
class Name:
    """A word of plain signs."""

    allowed: str = "1 to 64 letters, digits and signs of _ . : { } -"

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise ValueError(self.allowed)
        return value

    def write(self, value: str) -> str:
        return f'"{value}"'


@dataclass(frozen=True, slots=True)
class Choice(Generic[E]):
    """One of the words of an enum."""

    words: type[E]

    @property
    def allowed(self) -> str:
        *most, last = (f'"{word.value}"' for word in self.words)
        return f"{', '.join(most)} or {last}" if most else last

    def read(self, value: object) -> E:
        for word in self.words:
            if word.value == value:
                return word
        raise ValueError(self.allowed)

    def write(self, value: E) -> str:
        return f'"{value.value}"'


@dataclass(frozen=True, slots=True)
class Hosts:
    """IP addresses, each once."""

    allowed: str = 'a list of IP addresses like ["127.0.0.1", "::1"]'

    def read(self, value: object) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(ipaddress.ip_address(text)) for text in _texts(value, self.allowed)))

    def write(self, value: tuple[str, ...]) -> str:
        return _list(value)


@dataclass(frozen=True, slots=True)
class Places:
    """IP addresses with ports, each once."""

    allowed: str = 'a list of addresses with ports like ["127.0.0.1:9100", "[::1]:9100"]'

    def read(self, value: object) -> tuple[tuple[str, int], ...]:
        return tuple(dict.fromkeys(self._place(text) for text in _texts(value, self.allowed)))

    def _place(self, text: str) -> tuple[str, int]:
        host, _, port = text.rpartition(":")
        if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65_535:
            raise ValueError(self.allowed)
        if (host[:1] == "[") != (":" in host):
            raise ValueError(self.allowed)
        return str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))), int(port)

    def write(self, value: tuple[tuple[str, int], ...]) -> str:
        return _list(tuple(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in value))


@dataclass(frozen=True, slots=True)
class Networks:
    """IP networks, each once; an address alone is a network of one."""

    allowed: str = 'a list of IP addresses or networks like ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]'

    def read(self, value: object) -> tuple[IpNetwork, ...]:
        return tuple(dict.fromkeys(ipaddress.ip_network(text) for text in _texts(value, self.allowed)))

    def write(self, value: tuple[IpNetwork, ...]) -> str:
        return _list(tuple(str(network) for network in value))


@dataclass(frozen=True, slots=True)
class Words:
    """A list of texts that match a pattern, each once."""

    pattern: re.Pattern[str]
    allowed: str

    def read(self, value: object) -> tuple[str, ...]:
        texts = _texts(value, self.allowed)
        if not all(self.pattern.fullmatch(text) for text in texts):
            raise ValueError(self.allowed)
        return tuple(dict.fromkeys(texts))

    def write(self, value: tuple[str, ...]) -> str:
        return _list(value)


def _texts(value: object, allowed: str) -> list[str]:
    if not isinstance(value, list | tuple) or len(value) > MAX_ITEMS:
        raise ValueError(allowed)
    texts = [text for text in value if isinstance(text, str) and len(text) <= MAX_TEXT]
    if len(texts) != len(value):
        raise ValueError(allowed)
    return texts


def _list(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(json.dumps(text, ensure_ascii=False) for text in texts)}]"


def _number(value: float) -> str:
    return str(int(value)) if value == math.floor(value) and abs(value) < 1e15 else repr(value)


def _span(seconds: float) -> str:
    for unit in ("d", "h", "min"):
        if seconds and seconds % _DURATION_UNITS[unit] == 0:
            return f"{seconds / _DURATION_UNITS[unit]:g}{unit}"
    return f"{seconds:g}s"
