import lzma
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from customers import ROWS, bare_project, frame, left_over, new_shop

from lepton_pipeline.errors import ConfigurationError, DataError, LeptonError
from lepton_pipeline.onboarding.new import files
from lepton_pipeline.onboarding.new.draft import new_vertical
from lepton_pipeline.system import files as atomic


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return bare_project(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Shop", "cannot name"),
        ("../shop", "cannot name"),
        ("1shop", "cannot name"),
        ("", "cannot name"),
        ("s" * 60, "cannot name"),
        ("__default__", "cannot name"),
        ("class", "reserved"),
        ("base", "reserved"),
        ("all", "reserved"),
        ("staging", "reserved"),
        ("shop_scoring", "names that end in _scoring"),
        ("raw_tables", "module"),
    ],
)
def test_names_that_cannot_be_are_refused(project: Path, tmp_path: Path, name: str, message: str) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ConfigurationError, match=message):
        new_vertical(project, name, [tmp_path / "t.csv"])
    assert left_over(project) == []


def test_what_is_there_is_not_overwritten(project: Path) -> None:
    (project / "data/01_raw/shop").mkdir()
    (project / "data/01_raw/shop/other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigurationError, match="data/01_raw/shop exists already"):
        new_shop(project, frame())
    (project / "data/01_raw/shop/other.csv").unlink()
    (project / "data/01_raw/shop").rmdir()
    new_shop(project, frame())
    with pytest.raises(ConfigurationError, match="vertical 'shop' already"):
        new_shop(project, frame())


def test_data_that_lie_in_their_place_already_stay_there(project: Path) -> None:
    folder = project / "data/01_raw/shop"
    folder.mkdir()
    frame().to_csv(folder / "t.csv", index=False)
    (folder / "SOURCE.md").write_text("mine")
    new_vertical(project, "shop", [folder])
    assert (folder / "SOURCE.md").read_text() == "mine"
    assert (project / "conf/base/shop/parameters.yml").exists()


@pytest.mark.parametrize("step", ["mkdir", "copyfile", "rename"])
def test_nothing_is_left_when_writing_fails(
    project: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    if step == "copyfile":
        monkeypatch.setattr(files.shutil, "copyfile", fail)
    elif step == "rename":
        rename = Path.rename
        monkeypatch.setattr(
            Path, "rename", lambda path, to: fail() if "conf" in str(to) else rename(path, to)
        )
    else:
        monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(LeptonError, match=r"disk full; nothing is left"):
        new_shop(project, frame())
    monkeypatch.undo()
    assert left_over(project) == []
    assert not (project / "data/01_raw/shop").exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "does not exist"),
        ({"t.txt": "a"}, "does not exist"),
        ({"t.csv": ""}, "empty"),
        ({"t.csv": "<html><body>no</body></html>"}, "HTML"),
        ({"t.csv": "a,y\n"}, "only a header"),
    ],
)
def test_files_that_are_no_table_leave_nothing(
    project: Path, tmp_path: Path, files: dict[str, str], message: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(LeptonError, match=message):
        new_vertical(project, "shop", [tmp_path / "t.csv"])
    assert left_over(project) == []


def test_a_folder_and_several_files_are_read_and_copied(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "2025").mkdir(parents=True)
    table = frame()
    table.iloc[:30].to_csv(folder / "2025/a.csv", index=False)
    table.iloc[30:].to_csv(folder / "b.csv.xz", index=False)
    (folder / "notes.txt").write_text("no table")
    result = new_vertical(project, "shop", [folder])
    assert result.rows == ROWS
    assert sorted(path.name for path in (project / "data/01_raw/shop").rglob("*.*")) == [
        "SOURCE.md",
        "a.csv",
        "b.csv.xz",
    ]
    copied = (project / "data/01_raw/shop/b.csv.xz").read_bytes()
    assert lzma.decompress(copied).startswith(b"visits,plan,churn\n")


def test_two_files_of_one_name_and_other_suffixes_are_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for path in (tmp_path / "t.csv", tmp_path / "x/t.csv"):
        frame().to_csv(path, index=False)
    with pytest.raises(ConfigurationError, match="two files are named"):
        new_vertical(project, "shop", [tmp_path / "t.csv", tmp_path / "x/t.csv"])
    (tmp_path / "t.xls").write_text("a")
    with pytest.raises(
        ConfigurationError, match=r"t\.xls is no table file; give files that end in \.csv, .*\.xlsx"
    ):
        new_vertical(project, "shop", [tmp_path / "t.xls"])


def test_the_source_of_a_folder_comes_along_and_hidden_files_stay(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    frame().to_csv(folder / "t.csv", index=False)
    (folder / "._t.csv").write_bytes(b"\x00\x05")
    (folder / "SOURCE.md").write_text("Licence: CC BY 4.0")
    new_vertical(project, "shop", [folder])
    assert left_over(project) == [
        "conf/base/shop/parameters.yml",
        "data/01_raw/shop/SOURCE.md",
        "data/01_raw/shop/t.csv",
    ]
    assert (project / "data/01_raw/shop/SOURCE.md").read_text() == "Licence: CC BY 4.0"


def test_archives_of_several_files_are_refused(project: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w") as archive:
        archive.writestr("a.csv", frame().to_csv(index=False))
        archive.writestr("b.csv", frame().to_csv(index=False))
    with pytest.raises(DataError, match="one file"):
        new_vertical(project, "shop", [tmp_path / "t.csv.zip"])
    assert left_over(project) == []


def test_what_a_killed_call_has_left_is_no_vertical_and_goes_with_the_next(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        # As nothing is undone when a process is killed.
        killed.setattr(atomic, "_delete", lambda path: None)
        killed.setattr(files.shutil, "copyfile", lambda *_: sys.exit(137))
        with pytest.raises(SystemExit):
            new_shop(project, frame())
    assert len(list(project.rglob(".*.shop"))) == 2
    assert not (project / "conf/base/shop").exists()
    assert not (project / "data/01_raw/shop").exists()
    new_shop(project, frame())
    assert not list(project.rglob(".*.shop"))


def test_new_reads_the_files_that_a_run_reads_and_names_the_others(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in[1]"
    folder.mkdir()
    for name in (
        "FEB.CSV",
        "jan.csv",
        "jan.csv.bak",
        "region=north/part.csv",
        ".ipynb_checkpoints/jan-checkpoint.csv",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        frame().to_csv(folder / name, index=False)
    with pytest.raises(
        DataError, match=r"FEB\.CSV lies in no folder key=value/ and region=north/part\.csv in a folder"
    ):
        files.find_files(project, "shop", [folder])
    (folder / "region=north/part.csv").unlink()
    assert [file.raw.name for file in files.find_files(project, "shop", [folder])] == ["FEB.CSV", "jan.csv"]
    (file,) = files.find_files(project, "shop", [folder / "FEB.CSV"])
    assert file.raw.name == "FEB.CSV"
