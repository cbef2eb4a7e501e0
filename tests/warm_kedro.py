"""Whole commands in processes forked off one that has imported the libraries: a second each instead of ten.

A fork has its own process id, memory and exit, and can be killed, as a command that was started in a shell.
All workers of a test run share that process, as to import the libraries takes each ten seconds: the first starts it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from time import sleep
from typing import Any, NoReturn, TextIO

# Beside all modules of the package.
LIBRARIES = (
    "lepton_pipeline.settings",
    "great_expectations",
    "kedro.framework.cli",
    "kedro_datasets.pandas",
    "matplotlib.pyplot",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "pyarrow.parquet",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sqlalchemy.dialects.sqlite",
    "torch._dynamo",
)


_SECONDS = 240
# Of the test run, which has a name of its own where there are several workers.
ADDRESS = Path(gettempdir()) / f"warm-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}.socket"
READY = "ready\n"
# Variables of this process before any library is imported.
GIVEN = frozenset(os.environ)


@dataclass(frozen=True)
class Done:
    """How a command ended; `returncode` is the negative number of the signal that killed it."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def code(self) -> int:
        return self.returncode

    @property
    def said(self) -> str:
        return self.stdout + self.stderr


class WarmKedro:
    """Starts `kedro ...` in forks of a process that is kept until `close`, by the worker that started it."""

    def __init__(self, environment: Callable[[], dict[str, str]], folder: Path) -> None:
        self._environment = environment
        self._folder = TemporaryDirectory()
        self._started = 0
        self._running: list[Path] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._stream = self._connect(folder)

    def _connect(self, folder: Path) -> TextIO:
        """A connection to the process of the test run, which is started if there is none."""
        with ADDRESS.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            stream = connected()
            if stream is None:
                self._process = subprocess.Popen(
                    [sys.executable, __file__, str(ADDRESS)],
                    stdin=subprocess.PIPE,
                    # Kedro reads the project's logging.yml from where it is imported.
                    cwd=folder,
                    # One thread: a fork takes no other along.
                    env={
                        **self._environment(),
                        "OMP_NUM_THREADS": "1",
                        "OPENBLAS_NUM_THREADS": "1",
                        "MKL_NUM_THREADS": "1",
                    },
                )
            while stream is None:
                assert self._process is not None
                assert self._process.poll() is None
                sleep(0.1)
                stream = connected()
        return stream

    def run(
        self,
        project: Path,
        *arguments: str,
        environment: dict[str, str] | None = None,
        kill: tuple[str, str] | tuple[str, str, int] | None = None,
        before: str = "",
    ) -> Done:
        """Run a kedro command in a project.

        Args:
            project: its folder.
            arguments: of `kedro`.
            environment: variables beside those of the tests.
            kill: node and moment at which the process kills itself, or a group of others, see `killer`.
            before: Python code that the process runs first.
        """
        self.start(project, *arguments, environment=environment, kill=kill, before=before)
        # A test that failed may have left others.
        return self.wait()[-1]

    def start(
        self,
        project: Path,
        *arguments: str,
        environment: dict[str, str] | None = None,
        kill: tuple[str, str] | tuple[str, str, int] | None = None,
        before: str = "",
    ) -> Path:
        """Start a command as `run` does, for `wait`; gives the folder of its `stdout`, `stderr` and `pid`."""
        folder = Path(self._folder.name) / str(self._started)
        folder.mkdir()
        self._started += 1
        self._running.append(folder)
        asked = {
            "project": str(project),
            "arguments": arguments,
            "kill": kill,
            "before": before,
            "output": str(folder),
        }
        self._send(asked | {"environment": {**self._environment(), **(environment or {})}})
        return folder

    def wait(self) -> list[Done]:
        """How the commands that were started ended, in their order."""
        self._send("wait")
        codes = json.loads(self._stream.readline())
        done = [
            # What a command prints need not be UTF-8: it may quote bytes of a broken file.
            Done(code, *((folder / name).read_text(errors="replace") for name in ("stdout", "stderr")))
            for code, folder in zip(codes, self._running, strict=True)
        ]
        self._running = []
        return done

    def _send(self, asked: dict[str, Any] | str) -> None:
        self._stream.write(json.dumps(asked) + "\n")
        self._stream.flush()

    def close(self) -> None:
        self._stream.close()
        self._folder.cleanup()
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            for suffix in (".socket", ".lock"):
                ADDRESS.with_suffix(suffix).unlink(missing_ok=True)


def connected() -> TextIO | None:
    """A connection to the process at `ADDRESS`, None where there is none yet, or it has just ended."""
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        connection.connect(str(ADDRESS))
        stream = connection.makefile("rw")
        if stream.readline() == READY:
            return stream
        stream.close()
    return None


def serve(address: str) -> None:
    """Fork for each worker that connects, until standard input ends."""
    from importlib import import_module
    from pkgutil import walk_packages

    import lepton_pipeline

    # What libraries print while they are imported is nobody's answer.
    os.dup2(2, 1)
    own = walk_packages(lepton_pipeline.__path__, "lepton_pipeline.")
    for name in (*LIBRARIES, *(module.name for module in own)):
        import_module(name)
    gc.freeze()
    # Forks that have ended leave nothing.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        # A run that was killed may have left one of that name.
        Path(address).unlink(missing_ok=True)
        listener.bind(address)
        listener.listen()
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                break
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    answer(connection)
                    os._exit(0)


def answer(connection: socket.socket) -> None:
    """Fork for each request of a worker, and answer `wait` with the exit codes of the forks."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    stream = connection.makefile("rw")
    stream.write(READY)
    stream.flush()
    children = []
    for line in stream:
        asked = json.loads(line)
        if asked == "wait":
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            stream.write(json.dumps(codes) + "\n")
            stream.flush()
            children = []
            continue
        child = os.fork()
        if child == 0:
            stream.close()
            connection.close()
            become(asked)
        children.append(child)


def become(asked: dict[str, Any]) -> NoReturn:
    """Be the command, to the end of the process."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(Path(asked["output"]) / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    (Path(asked["output"]) / "pid").write_text(str(os.getpid()))
    # What the libraries have set stays, as in a command that imports them itself.
    for name in GIVEN - asked["environment"].keys():
        os.environ.pop(name, None)
    os.environ.update(asked["environment"])
    # A command that hangs is a failure, not a test that never ends.
    signal.alarm(_SECONDS)
    os.chdir(asked["project"])
    sys.argv = ["kedro", *asked["arguments"]]
    if asked["kill"]:
        from killer import kill_at

        kill_at(*asked["kill"])
    from kedro.framework.cli import main

    code = 1
    try:
        exec(asked["before"], {})
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    # What an interpreter does at its end, without taking apart the libraries, which lasts seconds.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve(*sys.argv[1:])
