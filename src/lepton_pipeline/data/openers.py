"""Open table files, decompressed as their names say."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from lepton_pipeline.data.suffixes import PARQUET, compression_of, kind_of
from lepton_pipeline.errors import DataError

_BYTES_AT_ONCE = 1 << 16
_SHOWN = 3


def open_table(fs: Any, path: str, name: str) -> BinaryIO:
    """Open a table file for reading, decompressed as its name says.

    Args:
        fs: file system of fsspec.
        path: of the file.
        name: of the file; its last suffix says how it is compressed.

    Raises:
        DataError: a zip archive holds no file, or several.
        OSError: it cannot be opened.
    """
    stream = cast(BinaryIO, fs.open(path, "rb"))
    if kind_of(name) == PARQUET:
        stream = _seekable(stream)
        start = stream.read(4)
        stream.seek(0)
        # The last suffix of df.parquet.gzip may speak of the pages within.
        if start == b"PAR1" or compression_of(name) is None:
            return stream
        return io.BytesIO(_decompressed(stream, name).read())
    return _decompressed(stream, name)


def open_zipped(archive: BinaryIO, name: str) -> BinaryIO:
    """Open the one file in a zip archive.

    Args:
        archive: the archive, open for reading.
        name: of the archive, for messages.

    Raises:
        DataError: there is none in it, or more than one: which of them was meant is not for us to say.
        zipfile.BadZipFile: it is no archive; readers turn that into a DataError.
    """
    packed = zipfile.ZipFile(archive)
    # macOS adds a folder and hidden files of its own.
    names = [each for each in packed.namelist() if not each.endswith("/") and not _is_hidden(each)]
    if len(names) != 1:
        shown = ", ".join([repr(each) for each in names[:_SHOWN]] + ["…"] * (len(names) > _SHOWN)) or "none"
        raise DataError(f"{name} must hold one file, but holds {len(names)} ({shown}); put its tables there unpacked.")
    return packed.open(names[0])  # type: ignore[return-value]  # it reads bytes, if not as a subclass of BinaryIO


def _decompressed(stream: BinaryIO, name: str) -> BinaryIO:
    openers: dict[str | None, Callable[[], Any]] = {
        None: lambda: stream,
        "gzip": lambda: gzip.GzipFile(fileobj=stream),
        "bz2": lambda: bz2.BZ2File(stream),
        "xz": lambda: lzma.open(stream),  # noqa: SIM115  # whoever opens the table closes it
        # fsspec would take the first file of several.
        "zip": lambda: open_zipped(_seekable(stream), name),
        "zstd": lambda: _unpack_zstd(stream),
    }
    return cast(BinaryIO, openers[compression_of(name)]())


def _unpack_zstd(stream: BinaryIO) -> Any:
    """Python has no zstd before 3.14; that of pyarrow is no BufferedReader, which text is decoded from."""
    from pyarrow import CompressedInputStream

    return io.BufferedReader(_Readable(CompressedInputStream(stream, "zstd")), _BYTES_AT_ONCE)


class _Readable(io.RawIOBase):
    """A stream of pyarrow as Python's."""

    def __init__(self, stream: Any):
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._stream.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def _seekable(stream: BinaryIO) -> BinaryIO:
    """Servers that cannot give a part of a file give all of it, once."""
    if stream.seekable():
        return stream
    with stream:
        return io.BytesIO(stream.read())


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or any(part.startswith(".") for part in PurePosixPath(name).parts)
