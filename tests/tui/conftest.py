"""A daemon that is a script, or one in this process, and the interface before it on a terminal that is none."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "daemon"))

from driven import verbs_done

__all__ = ["verbs_done"]
