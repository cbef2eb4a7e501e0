import bz2
import gzip
import io
import lzma
import os
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import fsspec
import pandas as pd
import pyarrow as pa
import pytest
from kedro.io import DatasetError

from lepton_pipeline.data.files import (
    EMPTY,
    HIDDEN,
    ONLY_A_HEADER,
    RawFiles,
    find_tables,
    partitions_of,
)
from lepton_pipeline.data.raw import read_header, read_rows
from lepton_pipeline.data.reading import SkippedFile
from lepton_pipeline.data.source import Source
from lepton_pipeline.datasets import RawTableDataset
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Ingestion

LOCAL = fsspec.filesystem("file")
CHECKPOINT = "a checkpoint of Jupyter"
HOUSEKEEPING = "a folder in which a program keeps notes"
BACKUP = "a backup"
UNFINISHED = "a file that was not finished"
OFFICE_LOCK = "a lock file of Office"
NOT_A_TABLE = "not a table"
JSON_NOTES = "JSON that is one object, beside tables"


def fill(folder: Path, *names: str, content: str = "a\n1\n") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def found(folder: Path) -> RawFiles:
    return find_tables(LOCAL, str(folder))


def names(folder: Path) -> list[str]:
    return [file.name for file in found(folder)]


def skipped(folder: Path) -> dict[str, str]:
    return {each.name: each.why for each in found(folder).skipped}


def test_the_last_suffixes_decide_in_upper_and_lower_case(tmp_path):
    tables = [
        *(
            "jan.csv",
            "FEB.CSV",
            "2024/MAR.Csv.GZ",
            "a.tsv.bz2",
            "b.PARQUET",
            "c.pq",
            "d.jsonl",
            "e.ndjson.zst",
        ),
        *(
            "f.xlsx",
            "g.XLSM",
            "h.csv.zip",
            "i.csv.xz",
            "j.snappy.parquet",
            "k.parquet.gzip",
            "l.2024.csv",
            "m.csv.json",
        ),
    ]
    fill(tmp_path, *tables)
    assert sorted(names(tmp_path)) == sorted(tables)
    assert skipped(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((f"t.csv{end}", BACKUP) for end in (".bak", ".BAK", "~", ".old", ".orig", ".swp", ".gz.bak")),
        ("#t.csv#", BACKUP),
        *((f"t.csv{end}", UNFINISHED) for end in (".tmp", ".part", ".crdownload")),
        *(
            (f"t.csv{end}", f"its name ends in '{end}', not as a table's does")
            for end in (".2024", ".aa", ".done")
        ),
        *((name, HIDDEN) for name in (".t.csv", "._t.csv", ".~lock.t.csv#", ".t.csv.crc")),
        ("~$t.xlsx", OFFICE_LOCK),
        *((name, NOT_A_TABLE) for name in ("_SUCCESS", "_metadata", "notes.md", "run.py")),
        ("t.txt", ".txt is not read: give it a name that ends in .csv, if it is a table"),
        ("t.XLS", ".xls is not read: save it as .xlsx or CSV"),
        ("archive.zip", ".zip is not read: unpack it"),
        ("t.csv.7z", ".7z is not read: unpack it"),
        ("t.xlsx.gz", ".gz is not read: unpack it"),
    ],
)
def test_what_is_no_data_is_skipped_and_named(tmp_path, name, why):
    fill(tmp_path, "t.csv", name)
    assert names(tmp_path) == ["t.csv"]
    assert skipped(tmp_path) == {name: why}
    assert RawTableDataset(filepath=str(tmp_path)).load().skipped == [SkippedFile(name, why)]


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        (".ipynb_checkpoints", CHECKPOINT),
        (".git", HIDDEN),
        ("2024/.hidden", HIDDEN),
        *((name, HOUSEKEEPING) for name in ("__MACOSX", "_temporary", "_delta_log", "_old")),
    ],
)
def test_folders_of_other_programs_are_skipped_whole(tmp_path, folder, why):
    fill(tmp_path, "t.csv", f"{folder}/t-checkpoint.csv", f"{folder}/deep/u.csv", f"{folder}/key=a/v.csv")
    assert names(tmp_path) == ["t.csv"]
    assert skipped(tmp_path) == {f"{folder}/": why}


def test_what_a_folder_says_of_itself_is_not_mentioned(tmp_path):
    fill(tmp_path, "t.csv", "SOURCE.md", ".gitkeep")
    assert skipped(tmp_path) == {}


def test_empty_parts_are_skipped_unless_all_are(tmp_path):
    fill(tmp_path, "part-0.csv", "part-2.csv")
    fill(tmp_path, "part-1.csv", content="")
    assert names(tmp_path) == ["part-0.csv", "part-2.csv"]
    assert skipped(tmp_path) == {"part-1.csv": EMPTY}
    (tmp_path / "part-0.csv").unlink()
    (tmp_path / "part-2.csv").unlink()
    assert names(tmp_path) == ["part-1.csv"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.csv", b"\n \r\n"),
        ("b.csv", b"\xef\xbb\xbf"),
        ("b.csv", b"\xff\xfe\n\x00"),
        ("b.csv.gz", gzip.compress(b"", mtime=0)),
        ("b.csv.xz", lzma.compress(b"")),
        ("b.jsonl.bz2", bz2.compress(b"\n")),
    ],
)
def test_files_without_content_are_skipped_beside_others(tmp_path, name, content):
    fill(tmp_path, "a.csv", content="x,y\n1,2\n")
    (tmp_path / name).write_bytes(content)
    source = Source.open(find_tables(LOCAL, str(tmp_path)), Ingestion(), {})
    assert [file.name for file in source.raw] == ["a.csv"]
    assert source.survey().record().skipped == [SkippedFile(name, EMPTY)]
    (tmp_path / "a.csv").unlink()
    with pytest.raises(DataError, match="is empty"):
        Source.open(find_tables(LOCAL, str(tmp_path)), Ingestion(), {})


def test_a_part_with_a_header_only_is_skipped_beside_others(tmp_path):
    fill(tmp_path, "a.csv", content="x,y\n1,2\n")
    fill(tmp_path, "b.csv", content="x,y\n")
    assert Source.open(find_tables(LOCAL, str(tmp_path)), Ingestion(), {}).survey().record().skipped == [
        SkippedFile("b.csv", ONLY_A_HEADER)
    ]


def test_folders_of_hive_are_columns(tmp_path):
    fill(tmp_path, "region=New%20York/day=1/part.csv", "region=__HIVE_DEFAULT_PARTITION__/day=a=b/part.csv")
    files = {file.name: file.partitions for file in find_tables(LOCAL, str(tmp_path))}
    assert files == {
        "region=New%20York/day=1/part.csv": {"region": "New York", "day": "1"},
        "region=__HIVE_DEFAULT_PARTITION__/day=a=b/part.csv": {"region": None, "day": "a=b"},
    }
    assert partitions_of("=a/x=/_y=1/t.csv") == {"x": "", "_y": "1"}


@pytest.mark.parametrize("other", ["part.csv", "year=2024/part.csv", "region=b/year=1/part.csv"])
def test_files_of_other_partitions_are_refused(tmp_path, other):
    fill(tmp_path, "region=a/part.csv", other)
    with pytest.raises(DataError, match=r"put all files of the table into folders with the same keys"):
        found(tmp_path)


def test_a_path_without_suffix_may_hold_brackets(tmp_path):
    folder = tmp_path / "x [1]*"
    fill(folder, "flights.csv", "flights.2.CSV", "flights.csv.bak", "planes.csv", "flights_old.csv")
    fill(folder / "flights.parquet", "part-0.parquet", "_SUCCESS")
    assert names(folder / "flights") == ["flights.2.CSV", "flights.csv", "flights.parquet/part-0.parquet"]
    assert skipped(folder / "flights") == {"flights.csv.bak": BACKUP, "flights.parquet/_SUCCESS": NOT_A_TABLE}
    assert names(folder / "not/there") == []


def test_a_single_file_is_a_table_whatever_its_name(tmp_path):
    fill(tmp_path, "day=1/t.txt")
    (file,) = found(tmp_path / "day=1/t.txt")
    assert (file.name, file.partitions) == ("t.txt", {})


def test_a_json_file_that_is_one_object_is_no_table_beside_others(tmp_path):
    fill(tmp_path, "schema.json", content='{\n  "fields": []\n}')
    fill(tmp_path, "lines.json", content='{"a": 1}\n{"a": 2}\n')
    fill(tmp_path, "list.json", content='[{"a": 1}]')
    assert names(tmp_path) == ["lines.json", "list.json", "schema.json"]
    fill(tmp_path, "t.csv")
    assert names(tmp_path) == ["lines.json", "list.json", "t.csv"]
    assert skipped(tmp_path) == {"schema.json": JSON_NOTES}


def test_links_to_folders_are_followed_unless_they_lead_back(tmp_path):
    fill(tmp_path / "elsewhere", "t.csv")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path)
    (folder / "self").symlink_to(folder)
    (folder / "u.csv").symlink_to(tmp_path / "elsewhere/t.csv")
    assert names(folder) == ["link/t.csv", "u.csv"]


def test_a_folder_that_may_not_be_read_is_no_empty_one(tmp_path, monkeypatch):
    fill(tmp_path, "t.csv", "deep/u.csv")
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ConfigurationError, match=r"deep cannot be (read|used) by"):
        found(tmp_path)


def test_files_on_a_web_server_are_read(tmp_path):
    fill(tmp_path, "x.CSV", "x.csv.bak")
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        (file,) = RawTableDataset(filepath=f"{address}/x.CSV?token=secret").load()
        assert (file.name, read_header(file, Ingestion())) == ("x.CSV", ["a"])
        folder = RawTableDataset(filepath=f"{address}/").load()
        assert ([each.name for each in folder], [each.name for each in folder.skipped]) == (
            ["x.CSV"],
            ["x.csv.bak"],
        )
        with pytest.raises(DatasetError, match=r"no table file at http://127\.0\.0\.1:\d+/none\.csv;"):
            RawTableDataset(filepath=f"{address}/none.csv?token=secret").load()
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def zstd(content: bytes) -> bytes:
    return pa.compress(content, "zstd", asbytes=True)


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("t.csv", content)
        archive.writestr("__MACOSX/._t.csv", "x")
        archive.writestr(".DS_Store", "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".GZ", gzip.compress),
        (".bz2", bz2.compress),
        (".Xz", lzma.compress),
        (".ZIP", zipped),
        (".zst", zstd),
        # Frames one after the other, as with cat.
        (".zst", lambda content: zstd(content[:3]) + zstd(content[3:])),
    ],
    ids=["gz", "bz2", "xz", "zip", "zst", "two_frames"],
)
def test_files_are_decompressed_as_their_names_say(tmp_path, suffix, pack):
    text = "a,b\n" + "".join(f"{row},ä\n" for row in range(50_000))
    (tmp_path / f"t.csv{suffix}").write_bytes(pack(text.encode()))
    (file,) = find_tables(LOCAL, str(tmp_path))
    header = read_header(file, Ingestion())
    rows = read_rows(file, header, Ingestion())
    assert header == ["a", "b"]
    assert (len(rows), rows["a"].iloc[-1], rows["b"].iloc[-1]) == (50_000, "49999", "ä")


def test_a_damaged_zstd_file_is_refused(tmp_path):
    (tmp_path / "t.csv.zst").write_bytes(zstd(b"a\n1\n" * 1000)[:-3])
    (file,) = find_tables(LOCAL, str(tmp_path))
    with pytest.raises(DataError, match=r"t\.csv\.zst cannot be read: .*; is the file whole\?"):
        read_rows(file, ["a"], Ingestion())


@pytest.mark.parametrize("name", ["T.PARQUET", "t.pq", "t.parquet.gzip", "t.parquet.gz"])
def test_parquet_is_recognised_by_any_of_its_names(tmp_path, name):
    buffer = io.BytesIO()
    pd.DataFrame({"a": [1]}).to_parquet(buffer)
    packed = gzip.compress(buffer.getvalue()) if name.endswith(".gz") else buffer.getvalue()
    (tmp_path / name).write_bytes(packed)
    (file,) = find_tables(LOCAL, str(tmp_path))
    assert file.is_parquet
    assert read_rows(file, ["a"], Ingestion())["a"].tolist() == [1]


def test_remote_folders_follow_the_same_rule():
    memory = fsspec.filesystem("memory")
    for name in ("day=1/a.CSV", "day=2/b.csv", "day=2/b.csv.bak", "_temporary/c.csv"):
        memory.pipe(f"/files_test/{name}", b"a\n1\n")
    memory.pipe("/files_test/day=2/empty.csv", b"")
    files = RawTableDataset(filepath="memory:///files_test").load()
    assert [(file.name, file.partitions) for file in files] == [
        ("day=1/a.CSV", {"day": "1"}),
        ("day=2/b.csv", {"day": "2"}),
    ]
    assert [each.name for each in files.skipped] == ["_temporary/", "day=2/b.csv.bak", "day=2/empty.csv"]
    assert read_header(files[0], Ingestion()) == ["a"]
