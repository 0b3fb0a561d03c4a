"""The version, in the forms in which others see it."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
CLIENT_NAME: Final = f"Starling {VERSION}"
"""In the extension handshake (BEP 10, `v`) and as User-Agent."""
