"""Find the files of a new vertical, and write its two folders atomically."""

from __future__ import annotations

import keyword
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from lepton_pipeline.data.files import SUFFIXES, RawFiles, find_tables
from lepton_pipeline.data.raw_file import RawFile, table_suffix
from lepton_pipeline.errors import ConfigurationError, LeptonError
from lepton_pipeline.parameters.jobs import name_problem
from lepton_pipeline.system.file_hashes import hash_file
from lepton_pipeline.system.files import temporary_name, write_text
from lepton_pipeline.system.permissions import refused

_RESERVED = {"all", "base", "local", "prod", "default", "training", "scoring", "monitoring", "parameters"}
_LONGEST_NAME = 50
_SHOWN = 3


@dataclass(frozen=True)
class SourceFile:
    """A table file at `path`, and as a run reads it, named relative to the folder of raw data."""

    path: Path
    raw: RawFile


def check_name(project: Path, name: str) -> None:
    """Refuse, by a ConfigurationError, a name that is taken or cannot be a vertical's."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or len(name) > _LONGEST_NAME:
        raise ConfigurationError(
            f"{name!r} cannot name a vertical; use at most {_LONGEST_NAME} lower-case letters, digits and underscores, "
            "a letter first."
        )
    if problem := name_problem(name):
        raise ConfigurationError(f"{name!r} cannot name a vertical: {problem}.")
    environments = {path.name for path in (project / "conf").glob("*") if path.is_dir()}
    if keyword.iskeyword(name) or name in _RESERVED | environments:
        raise ConfigurationError(f"{name!r} is a reserved word; choose another name for the vertical.")
    if (project / "conf/base" / name).exists():
        raise ConfigurationError(
            f"there is a vertical {name!r} already (conf/base/{name}); choose another name, or remove it first."
        )
    if find_spec(f"lepton_pipeline.verticals.{name}") is not None:
        raise ConfigurationError(
            f"the module lepton_pipeline.verticals.{name} has this name; choose another one."
        )


def find_files(project: Path, name: str, paths: Sequence[Path]) -> list[SourceFile]:
    """List the table files at the given files or folders in the order in which a run reads them.

    Raises:
        ConfigurationError: a path is absent or no table file, two files have one name, or the vertical
            already has other raw data.
        DataError: folders give only some files a partition (`key=value/`).
    """
    files: list[SourceFile] = []
    for path in paths:
        found = _found(path)
        if not found:
            what = "is no table file" if path.exists() else "does not exist"
            what = "holds no table" if path.is_dir() else what
            seen = ", ".join(f"{each.name}: {each.why}" for each in found.skipped[:_SHOWN])
            raise ConfigurationError(
                f"--from: {path} {what}{seen and f' ({seen})'}; give files that end in {SUFFIXES}."
            )
        root = (path if path.is_dir() else path.parent).absolute()
        files += [SourceFile(root / each.name, each) for each in found]
    names = Counter(file.raw.name for file in files)
    if twice := sorted(name for name, count in names.items() if count > 1):
        raise ConfigurationError(f"--from: two files are named {twice[0]!r}; rename one.")
    folder = project / "data/01_raw" / name
    present = {(folder / each.name).resolve() for each in _found(folder)}
    if folder.exists() and present != {file.path.resolve() for file in files}:
        raise ConfigurationError(
            f"data/01_raw/{name} exists already; choose another name, or give that folder as --from to use its tables."
        )
    return sorted(files, key=lambda file: file.raw.name)


def write_vertical(
    project: Path, name: str, declared: Mapping[str, str], source: str, files: Sequence[SourceFile]
) -> None:
    """Write conf/base/<name> and data/01_raw/<name>, both or neither.

    `declared` are the texts of the former's files by their names, such as parameters.yml.

    Files already in data/01_raw/<name> are not copied, and a SOURCE.md there is kept. Raises LeptonError if
    the files cannot be written.
    """
    conf, data = project / "conf/base" / name, project / "data/01_raw" / name
    # Not in conf/base, where other runs would take the folder for a vertical.
    with (
        temporary_name(conf, project / "conf") as temporary,
        temporary_name(data) as copy,
        ExitStack() as undo,
    ):
        try:
            temporary.mkdir(parents=True)
            for file, text in declared.items():
                (temporary / file).write_text(text, encoding="utf-8")
            undo.callback(_place_data(data, copy, source, files))
            conf.parent.mkdir(parents=True, exist_ok=True)
            # Last, so that a visible vertical has its data.
            temporary.rename(conf)
        except OSError as error:
            if (problem := refused(error)) is not None:
                raise problem from error
            raise LeptonError(f"{name} cannot be written: {error}; nothing is left of it.") from error
        undo.pop_all()


def find_source(paths: Sequence[Path]) -> str | None:
    """The SOURCE.md of the one folder of raw data, if it has one."""
    if len(paths) != 1 or not (note := paths[0] / "SOURCE.md").is_file():
        return None
    return note.read_text(encoding="utf-8", errors="replace")


def source_text(
    name: str, files: Sequence[SourceFile], rows: int, columns: Mapping[str, str], target: str
) -> str:
    """A SOURCE.md with placeholders for what is not known; `columns` are types by name."""
    lines = [
        f"# {name}",
        "",
        f"**What.** {rows:,} rows, {len(columns)} columns. NOT YET KNOWN: what a row is, from where and when. Fill in.",
        "",
        f"**Target.** `{target}`. NOT YET KNOWN: how and when it is measured. Fill in.",
        "",
        "**Source and licence.** NOT YET KNOWN. Fill in who owns the data and what they allow, before you share them.",
        "",
        "**Known traps.** NOT YET KNOWN. Fill in, above all columns whose values are known only after the target.",
        "",
        "**Columns.**",
        "| column | read as | meaning |",
        "| --- | --- | --- |",
        *(f"| `{column.replace('|', chr(92) + '|')}` | {kind} | |" for column, kind in columns.items()),
        "",
        "## Files",
        "| file | bytes | sha256 |",
        "| --- | --- | --- |",
        *(
            f"| `{file.raw.name}` | {file.path.stat().st_size:,} | `{hash_file(file.path)}` |"
            for file in files
        ),
    ]
    return "\n".join(lines) + "\n"


def _found(path: Path) -> RawFiles:
    """The table files at a path; a single file needs a table's suffix, as in a run."""
    is_table = path.is_file() and table_suffix(path.name) and not path.name.startswith((".", "~$"))
    there = is_table or path.is_dir()
    return find_tables(LocalFileSystem(), str(path.absolute())) if there else RawFiles()


def _place_data(data: Path, copy: Path, source: str, files: Sequence[SourceFile]) -> Callable[[], Any]:
    """Put the raw data in place, and return the function that undoes it."""
    if data.exists():
        note = data / "SOURCE.md"
        if note.exists():
            return lambda: None
        write_text(note, source)
        return note.unlink
    for file in files:
        (copy / file.raw.name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, copy / file.raw.name)
    (copy / "SOURCE.md").write_text(source, encoding="utf-8")
    copy.rename(data)
    return lambda: shutil.rmtree(data, ignore_errors=True)
