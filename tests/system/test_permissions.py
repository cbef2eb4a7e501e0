import errno
import os

import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.project.user_errors import user_error
from lepton_pipeline.system import permissions
from lepton_pipeline.system.permissions import refused, require_writable


@pytest.fixture
def not_allowed(monkeypatch):
    """Paths below which this process may not write; the tests may be run by root, who may everywhere."""
    forbidden = []
    real = os.access

    def access(path, mode):
        return real(path, mode) and not (
            mode & os.W_OK and any(str(path).startswith(str(each)) for each in forbidden)
        )

    monkeypatch.setattr(os, "access", access)
    return forbidden.append


def test_what_cannot_be_written_is_said_before_with_owner_and_remedy(tmp_path, not_allowed):
    (tmp_path / "data").mkdir(mode=0o755)
    wanted = tmp_path / "data" / "03_primary" / "shop" / "table.parquet"
    require_writable([wanted])
    not_allowed(tmp_path / "data")
    owner = permissions.user_name()
    with pytest.raises(ConfigurationError) as told:
        require_writable([tmp_path / "other.json", wanted])
    assert f"{tmp_path / 'data'} cannot be written by {owner}: the folder belongs to " in str(told.value)
    assert "mode drwxr-xr-x. Let " in str(told.value)
    assert "Several users" in str(told.value)


def test_an_error_of_the_system_is_one_message_with_exit_code_2(tmp_path, not_allowed):
    file = tmp_path / "scheduler.json"
    file.touch()
    not_allowed(file)
    error = RuntimeError("of a library")
    error.__cause__ = PermissionError(errno.EACCES, "Permission denied", str(file))
    told = user_error(error)
    assert told.exit_code == 2
    assert f"{file} cannot be written by" in str(told)
    assert "the file belongs to" in str(told)


def test_a_read_only_file_system_is_another_matter(tmp_path):
    told = refused(OSError(errno.EROFS, "Read-only file system", str(tmp_path / "new")))
    assert f"{tmp_path} cannot be written: its file system is read-only. Mount it" in str(told)


def test_a_refusal_without_a_reason_to_be_seen_names_the_path(tmp_path):
    told = refused(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "gone" / "new")))
    assert f"{tmp_path / 'gone' / 'new'} cannot be used by" in str(told)


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EPERM, "not permitted"),
        FileNotFoundError(errno.ENOENT, "no", "x"),
        ValueError("x"),
    ],
)
def test_other_errors_are_none_of_permissions(error):
    assert refused(error) is None
