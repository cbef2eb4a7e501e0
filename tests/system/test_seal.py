import json

import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.system.descriptions import open_sealed, seal

DESCRIPTION = {"threshold": 0.1, "naïve": [1, None, "ü"]}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "weights.bin").write_bytes(bytes(range(256)))
    (tmp_path / "notes.json").write_text('{"a": 1}')
    (tmp_path / "empty").write_bytes(b"")
    seal(tmp_path, "about.json", DESCRIPTION)
    return tmp_path


def test_what_was_sealed_is_read_again(folder):
    content = open_sealed(folder, "about.json")
    assert (content["threshold"], content["naïve"]) == (0.1, [1, None, "ü"])
    assert set(content["files"]) == {"deep/weights.bin", "notes.json", "empty"}
    assert open_sealed(folder, "about.json", content["sha256"]) == content


def test_any_byte_altered_in_any_file_is_refused(folder):
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        original = path.read_bytes()
        for place in range(len(original)):
            path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
            with pytest.raises(DataError, match=path.name):
                open_sealed(folder, "about.json")
        path.write_bytes(original)
    open_sealed(folder, "about.json")


@pytest.mark.parametrize("added", [b" ", b"\n", b"x"])
@pytest.mark.parametrize("name", ["about.json", "deep/weights.bin", "empty"])
def test_a_byte_more_is_refused_even_where_json_does_not_care(folder, name, added):
    path = folder / name
    path.write_bytes(path.read_bytes() + added)
    with pytest.raises(DataError, match="was altered"):
        open_sealed(folder, "about.json")


@pytest.mark.parametrize("name", ["about.json", "deep/weights.bin", "empty"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(DataError, match="is missing; copy or download"):
        open_sealed(folder, "about.json")


def test_an_equal_folder_has_an_equal_seal_and_another_has_another(folder, tmp_path):
    before = open_sealed(folder, "about.json")["sha256"]
    assert seal(folder, "about.json", DESCRIPTION) == before
    (folder / "notes.json").write_text('{"a": 2}')
    assert seal(folder, "about.json", DESCRIPTION) != before
    with pytest.raises(DataError, match=f"{before}; copy"):
        open_sealed(folder, "about.json", before)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"format": 3}), "[" * 50_000])
def test_what_was_never_sealed_is_refused(folder, text):
    (folder / "about.json").write_text(text)
    with pytest.raises(DataError, match="was altered"):
        open_sealed(folder, "about.json")
