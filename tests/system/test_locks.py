import fcntl
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from lepton_pipeline.system.locks import FileLock


def test_one_holder_at_a_time(tmp_path):
    first, second = (FileLock(tmp_path / "folder" / "a.lock", seconds=0) for _ in range(2))
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()
    second.release()


def test_threads_that_share_a_lock_hold_it_one_at_a_time(tmp_path):
    lock, inside, most = FileLock(tmp_path / "a.lock"), [], []

    def work(number):
        with lock:
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert most == [1] * 4


def test_a_lock_whose_file_was_removed_is_taken_on_the_new_one(tmp_path):
    file = tmp_path / "a.lock"
    first, second, third = (FileLock(file, seconds=0) for _ in range(3))
    assert first.acquire()
    file.unlink()
    assert second.acquire()
    assert not third.acquire()
    first.release()
    assert not third.acquire()


@pytest.mark.parametrize(("mode", "file"), [(0o755, 0o644), (0o775, 0o664), (0o777, 0o666)])
def test_who_may_write_to_the_folder_may_write_to_the_lock(tmp_path, mode, file):
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    umask = os.umask(0o022)
    try:
        with FileLock(tmp_path / "data" / ".locks" / "a.lock"):
            modes = [
                stat.S_IMODE((tmp_path / "data" / each).stat().st_mode)
                for each in (".locks", ".locks/a.lock")
            ]
    finally:
        os.umask(umask)
    assert modes == [mode, file]


def test_a_file_that_may_only_be_read_can_be_locked(tmp_path, monkeypatch):
    file = tmp_path / "a.lock"
    file.touch()
    real = os.open

    def read_only(path, flags, *mode):
        if flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", read_only)
    lock = FileLock(file, seconds=0)
    assert lock.acquire()
    with file.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.release()
