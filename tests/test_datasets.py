import gzip
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError

from lepton_pipeline.data.raw import read_header, read_rows
from lepton_pipeline.datasets import AtomicDataset, FolderDataset, RawTableDataset, RecordDataset
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion
from lepton_pipeline.project.user_errors import user_error
from lepton_pipeline.system.records import Omitted


def test_raw_tables_are_found_by_name_and_opened_decompressed(tmp_path):
    (tmp_path / "b.csv").write_text("a\n1\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"z\n1\n"))
    (tmp_path / "SOURCE.md").write_text("not a table")
    files = RawTableDataset(filepath=str(tmp_path)).load()
    assert [file.name for file in files] == ["a.csv.gz", "b.csv"]
    assert read_header(files[0], Ingestion()) == ["z"]


def test_hidden_files_are_left_out(tmp_path):
    for name in ("a.csv", "._a.csv", ".b.csv"):
        (tmp_path / name).write_text("a\n1\n")
    assert [file.name for file in RawTableDataset(filepath=str(tmp_path)).load()] == ["a.csv"]


def pack(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "a,b\n1,2\n")


def test_the_one_file_in_a_zip_archive_is_read(tmp_path):
    pack(tmp_path / "t.csv.zip", "month/", "month/t.csv", "__MACOSX/month/._t.csv")
    (file,) = RawTableDataset(filepath=str(tmp_path)).load()
    names = read_header(file, Ingestion())
    assert names == ["a", "b"]
    assert read_rows(file, names, Ingestion()).to_dict("list") == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"must hold one file, but holds 0 \(none\); put its tables there unpacked"),
        (["a.csv", "b.csv"], r"must hold one file, but holds 2 \('a\.csv', 'b\.csv'\)"),
    ],
)
def test_of_several_files_in_a_zip_archive_none_is_chosen(tmp_path, names, message):
    pack(tmp_path / "t.csv.zip", *names)
    (file,) = RawTableDataset(filepath=str(tmp_path)).load()
    with pytest.raises(DataError, match=message):
        read_header(file, Ingestion())


def test_what_is_no_zip_archive_is_a_data_error(tmp_path):
    (tmp_path / "t.csv.zip").write_text("<html>")
    (file,) = RawTableDataset(filepath=str(tmp_path)).load()
    with pytest.raises(DataError, match=r"t\.csv\.zip cannot be read: File is not a zip file"):
        read_header(file, Ingestion())


def test_one_raw_file_can_be_named(tmp_path):
    (tmp_path / "table.csv").write_text("a\n1\n")
    assert [file.name for file in RawTableDataset(filepath=str(tmp_path / "table.csv")).load()] == [
        "table.csv"
    ]


@pytest.mark.parametrize("path", [".", "not/there"])
def test_no_raw_table_is_a_data_error(tmp_path, path):
    with pytest.raises(DatasetError) as error:
        RawTableDataset(filepath=str(tmp_path / path)).load()
    found = user_error(error.value)
    assert isinstance(found, DataError)
    assert "no table file at" in str(found)


def test_raw_data_is_never_written(tmp_path):
    with pytest.raises(DatasetError, match="read only"):
        RawTableDataset(filepath=str(tmp_path)).save([])


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "table.parquet"
    dataset = AtomicDataset(filepath=str(target), dataset="pandas.ParquetDataset")
    frame = pd.DataFrame({"a": [1, 2]})
    assert not dataset.exists()
    dataset.save(frame)
    with pytest.raises(DatasetError):
        dataset.save({"not": "a frame"})
    pd.testing.assert_frame_equal(dataset.load(), frame)
    assert [file.name for file in target.parent.iterdir()] == ["table.parquet"]


@dataclass(frozen=True)
class Figure:
    value: float
    low: Omitted[float] = None


def test_a_record_is_a_file_of_json(tmp_path):
    dataset = RecordDataset(filepath=str(tmp_path / "f.json"), holds=f"{__name__}.Figure")
    dataset.save(Figure(0.5))
    assert (tmp_path / "f.json").read_text() == '{\n  "value": 0.5\n}'
    assert dataset.load() == Figure(0.5)
    with pytest.raises(DatasetError, match=r"holds a .*Figure, not a dict; return one"):
        dataset.save({"value": 0.5})
    assert dataset.load() == Figure(0.5)


def test_a_file_that_holds_another_record_is_a_data_error(tmp_path):
    (tmp_path / "f.json").write_text('{"low": 1}')
    with pytest.raises(DatasetError) as error:
        RecordDataset(filepath=str(tmp_path / "f.json"), holds=f"{__name__}.Figure").load()
    refused = user_error(error.value)
    assert isinstance(refused, DataError)
    assert str(refused).startswith(f"{tmp_path}/f.json holds no Figure: value: Field required")


class Half:
    """Writes one of its two files, then dies."""

    def save(self, folder: Path) -> None:
        (folder / "first").write_text("1")
        raise OSError("disk full")


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    target = tmp_path / "figures"
    dataset = FolderDataset(filepath=str(target))
    dataset.save({"index.html": b"old", "deep/old.png": b"1"})
    with pytest.raises(DatasetError, match="disk full"):
        FolderDataset(filepath=str(target), holds="some.Class").save(Half())
    assert dataset.load() == {"index.html": b"old", "deep/old.png": b"1"}
    dataset.save({"index.html": b"new"})
    assert dataset.load() == {"index.html": b"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]


def test_what_is_removed_is_gone(tmp_path):
    folder, file = (
        FolderDataset(filepath=str(tmp_path / "a")),
        AtomicDataset(filepath=str(tmp_path / "b"), dataset="json.JSONDataset"),
    )
    folder.save({"x": b"1"})
    file.save({"x": 1})
    for dataset in (folder, file):
        dataset.remove()
        dataset.remove()
        assert not dataset.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_of_a_file_is_removed_by_the_next_save(tmp_path):
    (tmp_path / ".0123abcd.t.json").write_text("half")
    (tmp_path / ".0123abcd.folder").mkdir()
    (tmp_path / ".hidden.t.json").write_text("somebody else's")
    AtomicDataset(filepath=str(tmp_path / "t.json"), dataset="json.JSONDataset").save({"a": 1})
    FolderDataset(filepath=str(tmp_path / "folder")).save({"a": b"1"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden.t.json", "folder", "t.json"]
