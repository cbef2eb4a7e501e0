"""What lies in a raw folder neither hangs a command, nor fills the memory, nor shows what its sender may not read."""

import bz2
import gzip
import io
import os
import zipfile
from pathlib import Path

import fsspec
import pytest

from lepton_pipeline.data.documents import read_document
from lepton_pipeline.data.files import find_tables
from lepton_pipeline.data.raw import read_blocks, read_header
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

LOCAL = fsspec.filesystem("file")
MIB = 1 << 20


def read(folder: Path) -> int:
    """Rows of the one table of a folder."""
    (file,) = find_tables(LOCAL, str(folder))
    names = read_header(file, Ingestion())
    return sum(len(block) for block in read_blocks(file, names, Ingestion()))


@pytest.mark.parametrize("name", ["t.csv", "t.json", "t.parquet"])
def test_a_pipe_and_a_device_are_refused_before_anything_is_read(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=f"{name} is a pipe, a device or a socket"):
        read(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(DataError, match=f"{name} is a pipe, a device or a socket"):
        read(tmp_path)


@pytest.mark.parametrize("where", ["header", "first row", "later row"])
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress], ids=["gz", "bz2"])
def test_a_line_that_unpacks_to_any_length_is_not_held(tmp_path, where, pack):
    before = {"header": b"", "first row": b"a,b\n", "later row": b"a,b\n" + b"1,2\n" * 100_000}[where]
    content = pack(before + b"0" * 9 * MIB)
    assert len(content) < MIB // 4
    (tmp_path / ("t.csv.gz" if pack is gzip.compress else "t.csv.bz2")).write_bytes(content)
    with pytest.raises(DataError, match=r"holds a line longer than 8 MiB; is it a table"):
        read(tmp_path)


def test_long_lines_and_large_files_are_read(tmp_path):
    rows = b"".join(b"%d,%s\n" % (number, b"x" * MIB) for number in range(20))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n" + rows, 1))
    assert read(tmp_path) == 20


def test_a_document_that_unpacks_to_many_times_its_size_is_not_held(tmp_path, monkeypatch):
    monkeypatch.setattr("lepton_pipeline.data.raw_file._UNPACKED", MIB)
    (tmp_path / "t.json.gz").write_bytes(gzip.compress(b'[{"a": "' + b"0" * 4 * MIB + b'"}]'))
    with pytest.raises(DataError, match=r"t\.json\.gz unpacks to more than 1 MiB, many times its size"):
        read(tmp_path)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 4 * MIB)
    with pytest.raises(DataError, match=r"t\.xlsx unpacks to more than 1 MiB"):
        read_document(RawFile("t.xlsx", lambda: io.BytesIO(packed.getvalue())))


@pytest.mark.parametrize(
    ("mode", "shown"), [(0o600, False), (0o640, False), (0o644, True)], ids=["own", "group", "everybody"]
)
def test_a_link_shows_only_what_its_owner_may_read(tmp_path, monkeypatch, mode, shown):
    """The link is that of user 12345, the file behind it that of another."""
    secret, raw = tmp_path / "secret", tmp_path / "raw"
    secret.write_text("password\n1\n")
    secret.chmod(mode)
    raw.mkdir()
    link = raw / "t.csv"
    link.symlink_to(secret)
    facts = os.stat_result([*link.lstat()[:4], 12345, *link.lstat()[5:10]])
    real = Path.lstat
    monkeypatch.setattr(Path, "lstat", lambda path: facts if path == link else real(path))
    if shown:
        assert read(raw) == 1
        return
    with pytest.raises(
        DataError, match=r"t.csv lies behind .*/t.csv, a link of a user who may not read it"
    ) as told:
        read(raw)
    assert "password" not in str(told.value)
