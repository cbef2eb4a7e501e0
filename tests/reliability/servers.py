"""Servers of a test's own, on loopback and for its time only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

import pytest

_PATIENCE = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MlflowServer:
    """An MLflow server that can be killed and started again on the same store and port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        store = ["--backend-store-uri", f"sqlite:///{self.folder}/server.db", "--workers", "1"]
        artifacts = ["--artifacts-destination", str(self.folder / "artifacts")]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *store, *artifacts],
                cwd=self.folder,
                # Its workers are in a group that ends with it.
                start_new_session=True,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                },
            )
        _wait_until(self._answers, lambda: (self.folder / "server.log").read_text())

    @property
    def group(self) -> int:
        """The process group of the server and its workers."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End the server as a machine that loses its power."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
            return bool(answer.status == 200)


@contextmanager
def postgres_server(password: str) -> Iterator[str]:
    """A PostgreSQL server with one empty database; gives its address, for SQLAlchemy, with user and password."""
    binaries = _postgres_binaries()
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[postgres]'")
    # The server refuses to be root's: then it is nobody's, in a folder that nobody may enter.
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(mkdtemp(prefix="postgres"))
    (folder / "password").write_text(password)
    who: dict[str, Any] = {}
    if user:
        account = pwd.getpwnam(user)
        for path in (folder, folder / "password"):
            os.chown(path, account.pw_uid, account.pw_gid)
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    port = free_port()
    try:
        command = [
            binaries / "initdb",
            "--pgdata",
            folder / "data",
            "--username",
            "keeper",
            "--encoding",
            "UTF8",
        ]
        access = ["--auth", "scram-sha-256", "--pwfile", folder / "password", "--locale", "C", "--no-sync"]
        subprocess.run([*command, *access], **who, cwd=folder, check=True, capture_output=True)
        with (folder / "log").open("ab") as log:
            server = subprocess.Popen(
                [
                    binaries / "postgres",
                    "-D",
                    folder / "data",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    str(port),
                    "-k",
                    folder,
                    "-F",
                ],
                **who,
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        try:
            _wait_until(lambda: _postgres_answers(port, password), lambda: (folder / "log").read_text())
            yield f"postgresql+psycopg://keeper:{password}@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
    finally:
        shutil.rmtree(folder)


def _postgres_binaries() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if pg_config := shutil.which("pg_config"):
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(told.stdout.strip()))
    for folder in reversed(folders):
        if (folder / "initdb").exists():
            return folder
    pytest.skip("PostgreSQL's server (initdb, postgres) is not installed")


def _postgres_answers(port: int, password: str) -> bool:
    import psycopg

    with psycopg.connect(host="127.0.0.1", port=port, user="keeper", password=password, dbname="postgres"):
        return True


def _wait_until(answers: Any, log: Any) -> None:
    end = monotonic() + _PATIENCE
    while True:
        try:
            if answers():
                return
        except Exception as error:
            if monotonic() > end:
                pytest.fail(f"the server did not start: {error}\n{log()}")
        sleep(0.1)


def holding(folder: Path, text: str) -> list[Path]:
    """The files below a folder that hold a text."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]
