"""Messages about missing permissions: the file, its owner, and what to do."""

from __future__ import annotations

import errno
import getpass
import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import ConfigurationError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS)


def user_name() -> str:
    """The user of this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


def require_writable(paths: Iterable[Path]) -> None:
    """Raise ConfigurationError if one of the paths, or the folder to create it in, cannot be written."""
    wanted = [path.absolute() for path in paths]
    # A folder that is there is replaced with all that it holds.
    folders = {_existing(path.parent) for path in wanted} | {path for path in wanted if path.is_dir()}
    for folder in sorted(folders):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise refusal(folder)


def refusal(path: Path, *, read_only: bool = False) -> ConfigurationError:
    """The error about a path that a process was refused; `read_only` refers to the whole file system."""
    path = path.absolute()
    # A writable file is refused because of its folder, where it is replaced.
    found = _existing(path)
    if found == path and path.is_file() and os.access(path, os.R_OK | os.W_OK):
        found = path.parent
    facts = found.stat()
    missing = "read" if not os.access(found, os.R_OK) else "written"
    if read_only or (missing == "written" and os.statvfs(found).f_flag & os.ST_RDONLY):
        return ConfigurationError(
            f"{found} cannot be written: its file system is read-only. Mount it so that it can be written, or copy the "
            "project to where it can."
        )
    if os.access(found, os.R_OK | os.W_OK | (os.X_OK if found.is_dir() else 0)):
        return ConfigurationError(
            f"{path} cannot be used by {user_name()}: permission was denied. Look at what owns and limits it: its "
            "folders, a container, a sandbox."
        )
    owner = _name(pwd.getpwuid, facts.st_uid) or f"user {facts.st_uid}"
    group = _name(grp.getgrgid, facts.st_gid) or str(facts.st_gid)
    what = "folder" if found.is_dir() else "file"
    return ConfigurationError(
        f"{found} cannot be {missing} by {user_name()}: the {what} belongs to {owner}, group {group}, mode "
        f"{stat.filemode(facts.st_mode)}. Let {owner} run the command, or let {owner} share the project with a group "
        "(docs/operating.md, Several users)."
    )


def refused(error: BaseException) -> ConfigurationError | None:
    """The error about a refusal by the operating system; None for other errors."""
    if (
        isinstance(error, OSError)
        and error.errno in REFUSALS
        and isinstance(error.filename, str | os.PathLike)
    ):
        return refusal(Path(error.filename), read_only=error.errno == errno.EROFS)
    return None


def share(path: Path) -> None:
    """Give a new file or folder tree the write permissions of its parent folder."""
    allowed = stat.S_IMODE(path.parent.stat().st_mode) & 0o777
    if not allowed & _OTHERS_WRITE:
        return
    if not path.is_dir():
        path.chmod(allowed & 0o666)
        return
    for folder in (path, *(each for each in path.rglob("*") if each.is_dir())):
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | allowed)


def shared_folder(path: Path) -> Path:
    """Make a folder, if needed; others may write to it if they may write to its parent."""
    if not path.is_dir():
        shared_folder(path.parent)
        with suppress(FileExistsError):
            path.mkdir()
            share(path)
    return path


def _existing(path: Path) -> Path:
    """The path, or its nearest existing parent."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def _name(look_up: Callable[[int], Sequence[Any]], number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return ""
