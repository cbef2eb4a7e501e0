"""Find the tables of a folder by file name, their Hive partitions, and why other files are skipped."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from functools import partial
from os.path import realpath
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from lepton_pipeline.data.raw_file import TABLE_SUFFIXES, RawFile, open_table, protocols, table_suffix
from lepton_pipeline.data.reading import SkippedFile
from lepton_pipeline.errors import DataError
from lepton_pipeline.system.permissions import refused

# Why a file is not read.
HIDDEN = "hidden"
EMPTY = "empty"
ONLY_A_HEADER = "only a header, no rows"

_BACKUPS = (".bak", ".backup", ".old", ".orig", ".save", ".sav", ".swp", ".swo", "~", "#")
_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".download", ".filepart")
# Tables of kinds that are not read, so that whoever put one there learns what to do.
_OTHER_TABLES = {
    suffix: remedy
    for suffixes, remedy in (
        (".txt", "give it a name that ends in .csv, if it is a table"),
        (".dat .tab .psv", "give it a name that ends in .csv, and declare ingestion.separator"),
        (".xls .xlsb .ods", "save it as .xlsx or CSV"),
        (
            ".feather .arrow .orc .avro .sas7bdat .xpt .dta .rds .rdata .pkl .pickle",
            "save it as Parquet or CSV",
        ),
        (".h5 .hdf .hdf5 .mdb .accdb .db .sqlite .sqlite3 .duckdb", "export it"),
        (".zip .gz .7z .rar .tar .tgz .z .lz4 .br", "unpack it"),
    )
    for suffix in suffixes.split()
}
# The project's own: what a folder of raw data says of itself, and what keeps an empty folder in Git.
_NOTES = ("SOURCE.md", ".gitkeep", ".gitignore")

_BYTES_AT_ONCE = 1 << 16
_SHOWN = 3
# What fsspec knows of each file, by path.
_Listing = dict[str, dict[str, object]]


class RawFiles(list[RawFile]):
    """Unopened table files; `skipped` are the files beside them that are not read."""

    def __init__(self, files: Iterable[RawFile] = (), skipped: Iterable[SkippedFile] = ()):
        super().__init__(files)
        self.skipped = list(skipped)


def find_tables(fs: Any, path: str) -> RawFiles:
    """Find the table files at a path, which is a file, a folder, or either without its suffixes.

    The last suffixes decide (`TABLE_SUFFIXES`, after those of text and JSON `COMPRESSIONS`). Backups, hidden
    files and folders that begin with an underscore (_temporary, __MACOSX, _delta_log) are skipped, as are
    files of 0 bytes beside others. Raises a DataError where files differ in their partition keys
    (`key=value/`), or a folder cannot be listed.
    """
    try:
        # On a web server everything is a file.
        if fs.isfile(path) and not (_is_web(fs) and path.endswith("/")):
            name = _base(fs, path)
            return RawFiles([RawFile(name, partial(open_table, fs, path, name))])
        root, listed = _listed(fs, path)
    except OSError as error:
        if (problem := refused(error)) is not None:
            raise problem from error
        raise DataError(f"{shown_path(path)} cannot be listed: {error}; is it readable?") from error
    files: list[RawFile] = []
    empty: list[RawFile] = []
    skipped: dict[str, str] = {}
    for each in sorted(listed):
        name = _relative(fs, each, root)
        if (reason := _reason(name)) is None:
            file = RawFile(name, partial(open_table, fs, each, name), partitions_of(name))
            # A broken link has size 0, too.
            (empty if listed[each].get("size") == 0 and fs.isfile(each) else files).append(file)
        elif PurePosixPath(name).name not in _NOTES or reason[0] != name:
            skipped[reason[0]] = reason[1]
    skipped |= {file.name: EMPTY for file in empty if files}
    files = files or empty
    documents = [file for file in files if table_suffix(file.name) == ".json"]
    # A .json file beside other tables may hold one object, such as a schema.
    notes = set(filter(_is_one_object, documents)) if len(documents) < len(files) else set()
    skipped |= {file.name: "JSON that is one object, beside tables" for file in notes}
    files = [file for file in files if file not in notes]
    _require_same_partitions(files)
    return RawFiles(files, [SkippedFile(name, why) for name, why in sorted(skipped.items())])


def no_tables(where: str, skipped: Sequence[SkippedFile]) -> str:
    """Message: there is no table at a path, what lies there, and what would be one."""
    shown = ", ".join(f"{each.name}: {each.why}" for each in skipped[:_SHOWN])
    more = f" and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
    return f"no table file at {shown_path(where)}{f' ({shown}{more})' if shown else ''}; put one there ({SUFFIXES})"


def shown_path(path: str) -> str:
    """A path for messages: what follows the question mark of a web address may be a secret."""
    return path.partition("?")[0] if path.startswith(("http://", "https://")) else path


SUFFIXES = f"{', '.join(TABLE_SUFFIXES)}; text and JSON also compressed, as in .csv.gz or .csv.zst"


def partitions_of(name: str) -> dict[str, str | None]:
    """The Hive partitions in a path.

    >>> partitions_of("region=New%20York/day=__HIVE_DEFAULT_PARTITION__/part-0.parquet")
    {'region': 'New York', 'day': None}
    """
    found: dict[str, str | None] = {}
    for folder in PurePosixPath(name).parts[:-1]:
        key, mark, value = folder.partition("=")
        if mark and key:
            found[unquote(key)] = None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value)
    return found


def _listed(fs: Any, path: str) -> tuple[str, _Listing]:
    """The folder that names are relative to, and what fsspec knows of each file."""
    if fs.isdir(path):
        return path, _below(fs, path)
    folder, _, stem = path.rstrip("/").rpartition("/")
    # Listed and compared: for a pattern, brackets in a path would be a set of characters.
    try:
        beside = fs.ls(folder or "/", detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return folder, {}
    found: _Listing = {}
    for each in beside:
        if not PurePosixPath(each["name"]).name.startswith(f"{stem}."):
            continue
        # Spark writes a folder t.parquet/ or t.csv/ of parts.
        found |= _below(fs, each["name"]) if fs.isdir(each["name"]) else {each["name"]: each}
    return folder, found


def _below(fs: Any, folder: str, followed: tuple[str, ...] = ()) -> _Listing:
    """All files below a folder; unlike `find` of fsspec, raises OSError where a folder may not be read."""
    if "file" not in protocols(fs):
        return dict(fs.find(folder, detail=True))
    found: _Listing = {}
    for info in fs.ls(folder, detail=True):
        path = info["name"]
        if info["type"] != "directory" and not (info["islink"] and fs.isdir(path)):
            found[path] = info
        elif _folder_reason(PurePosixPath(path).name):
            found[f"{path}/"] = info
        elif info["islink"]:
            # Followed, unless it leads back.
            target = f"{realpath(path)}/"
            if target not in followed and not f"{realpath(folder)}/".startswith(target):
                found |= _below(fs, path, (*followed, target))
        else:
            found |= _below(fs, path, followed)
    return found


def _relative(fs: Any, path: str, root: str) -> str:
    start = fs._strip_protocol(root).rstrip("/") + "/"
    return path.removeprefix(start) if path.startswith(start) else _base(fs, path)


def _base(fs: Any, path: str) -> str:
    return PurePosixPath(urlsplit(path).path if _is_web(fs) else path).name


def _is_web(fs: Any) -> bool:
    return "http" in protocols(fs)


def _reason(name: str) -> tuple[str, str] | None:
    """Which file or folder is skipped, and why; None for a table."""
    *folders, base = [*PurePosixPath(name).parts, ""] if name.endswith("/") else PurePosixPath(name).parts
    for at, folder in enumerate(folders, 1):
        if why := _folder_reason(folder):
            return "/".join(folders[:at]) + "/", why
    if base.startswith("~$"):
        return name, "a lock file of Office"
    if base.startswith("."):
        return name, HIDDEN
    return None if table_suffix(base) else (name, _file_reason(base))


def _folder_reason(folder: str) -> str | None:
    if folder == ".ipynb_checkpoints":
        return "a checkpoint of Jupyter"
    if folder.startswith("."):
        return HIDDEN
    # _year=2024 is a partition.
    return "a folder in which a program keeps notes" if folder.startswith("_") and "=" not in folder else None


def _file_reason(base: str) -> str:
    lower = base.lower()
    suffix = PurePosixPath(lower).suffix
    # As in t.csv.bak or #t.csv#.
    if any(each in lower for each in TABLE_SUFFIXES):
        if lower.endswith(_BACKUPS):
            return "a backup"
        if lower.endswith(_UNFINISHED):
            return "a file that was not finished"
        if suffix not in _OTHER_TABLES:
            return f"its name ends in {suffix or base!r}, not as a table's does"
    if suffix in _OTHER_TABLES:
        return f"{suffix} is not read: {_OTHER_TABLES[suffix]}"
    return "not a table"


def _is_one_object(file: RawFile) -> bool:
    try:
        with file.open() as stream:
            start = stream.read(_BYTES_AT_ONCE)
    except Exception:  # what cannot be opened is explained by whoever reads it
        return False
    lines = start.removeprefix(BOM_UTF8).strip().split(b"\n")
    # A line that is an object of its own is a record: .json is also a name of JSON lines.
    return lines[0].startswith(b"{") and not (len(lines) > 1 and lines[0].rstrip().endswith(b"}"))


def _require_same_partitions(files: Sequence[RawFile]) -> None:
    for file in files:
        if set(file.partitions) != set(files[0].partitions):
            raise DataError(
                f"{files[0].name} lies in {_partitions(files[0])} and {file.name} in {_partitions(file)}; put all "
                "files of the table into folders with the same keys (key=value/), or none."
            )


def _partitions(file: RawFile) -> str:
    return ", ".join(f"a folder {key}=" for key in file.partitions) or "no folder key=value/"
