"""What a result says about the day, the machine and the versions it was measured with."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PROCESSORS = Path("/proc/cpuinfo")


def describe(packages: Iterable[str], more: str = "") -> str:
    """Two lines of Markdown: date and machine, with `more` on it where there is any; Python and installed packages."""
    machine = f"{describe_machine()}, {more}" if more else describe_machine()
    return f"{datetime.now(UTC):%Y-%m-%d}; {machine};\n{describe_versions(packages)}."


def describe_machine() -> str:
    """System, processor, cores and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"{platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} cores, {memory:.1f} GiB"
    )


def describe_versions(packages: Iterable[str]) -> str:
    """Python's version and those of the packages that are installed."""
    found = [f"Python {platform.python_version()}"]
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _processor() -> str:
    lines = _PROCESSORS.read_text().splitlines() if _PROCESSORS.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
