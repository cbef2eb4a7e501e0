"""Memory that libraries keep for themselves."""

from __future__ import annotations

import sys
from pathlib import Path

# Less is not worth asking for again.
LARGE_BYTES = 16 << 20


def release_after_reading(path: Path) -> None:
    """Return the memory that pyarrow keeps after it has read a large file to the system.

    It keeps about as much as the table takes; stages that read the same table one after the other would hold it twice.
    """
    arrow = sys.modules.get("pyarrow")
    if arrow is not None and path.is_file() and path.stat().st_size >= LARGE_BYTES:
        arrow.default_memory_pool().release_unused()
