"""Identity of a process, by which another one can tell later whether it has ended."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
# The initial process namespace, of the machine outside containers.
_MACHINE = "pid:[4026531836]"
_START = 19  # field 22 of /proc/<id>/stat, counted behind the name


def identity() -> dict[str, str]:
    """Tags of this process: host, number and, on Linux, boot, namespace and start."""
    tags = {"process.host": socket.gethostname(), "process.id": str(os.getpid())}
    if _boot():
        tags |= {"process.boot": _boot(), "process.namespace": _namespace()}
        tags["process.started"] = _started(str(os.getpid()))
    return tags


def has_ended(tags: Mapping[str, str], own: int | None = None) -> bool:
    """Whether the process of these `identity` tags is known to have ended.

    Nothing is known of processes of other hosts and containers. Without container tags (earlier releases)
    only a process of the machine itself judges by the number. `own` is a process known to be another one.
    """
    if tags.get("process.host") != socket.gethostname():
        return False
    number, boot = tags.get("process.id", ""), tags.get("process.boot")
    namespace = tags.get("process.namespace")
    if not _boot() or boot is None:
        return (not _boot() or _namespace() == _MACHINE) and not _alive(number, own)
    if namespace != _namespace():
        return False
    if boot != _boot():
        # The machine was rebooted; another machine's container may have the same name.
        return namespace == _MACHINE
    return not _alive(number, own) or _started(number) != tags.get("process.started")


@cache
def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return ""


def _namespace() -> str:
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _started(number: str) -> str:
    """Ticks from boot to the start of a process; empty if unknown."""
    try:
        stat = (_PROC / number / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name, in brackets, may hold blanks and brackets.
    return stat.rpartition(")")[2].split()[_START]


def _alive(number: str, own: int | None) -> bool:
    if not number.isdecimal() or int(number) == own:
        return False
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
