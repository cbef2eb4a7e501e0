"""Start ranks by torch's elastic launch: on this machine, or on several that meet at an address.

On one machine everything goes through files of a folder and the loopback interface. Several meet at a TCP store, which
is as open as the network: who reaches it takes part in the fit, and sends and gets pickled objects.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from uuid import uuid4

import torch
from torch import distributed
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch does not list it
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.elastic.rendezvous.api import RendezvousError, RendezvousTimeoutError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.model.networks.ranks import BACKENDS, LOST, Done, Given, Work, fit_by_rank, read_rows
from lepton_pipeline.system.workers import Report, allowed_cores

# Key of the store under which others read what they join.
_FIT = "lepton.fit"
_SECONDS_TO_BE_SEEN = 5


@dataclass(frozen=True)
class Fit:
    """What agents of all machines must know of a fit to start ranks for it."""

    name: str
    machines: int
    max_restarts: int
    timeout: int
    device: str
    threads: int


def launch(work: Work, folder: Path, report: Report) -> Done:
    """Start the ranks of this machine, and fit with those of others; every epoch is reported.

    Raises what the ranks raise, a LeptonError if one of them ends or other machines do not come in time.
    """
    training, ranks = work.spec.training, work.spec.training.ranks
    fit = Fit(uuid4().hex, ranks.machines, ranks.max_restarts, ranks.timeout, work.device, training.threads)
    # Kept until the end: with it the store would go.
    store = None if ranks.address is None or ranks.machines == 1 else _open_store(ranks.address, fit)
    ours, theirs = get_context("spawn").Pipe(duplex=False)
    hearing = Thread(target=_hear, args=(ours, report), daemon=True)
    hearing.start()
    agent = Agent(fit, None if store is None else ranks.address, ranks.processes, folder)
    try:
        found = agent.run(work, theirs)
    finally:
        theirs.close()
    hearing.join()
    return next(each for each in found.values() if each is not None)


def _hear(epochs: Connection, report: Report) -> None:
    # The pipe breaks where the run has ended, and this process then ends, too.
    with suppress(EOFError, OSError):
        while True:
            report(epochs.recv())


def _open_store(address: str, fit: Fit) -> TCPStore:
    host, _, port = address.rpartition(":")
    try:
        # Torch finds out in a minute.
        socket.getaddrinfo(host, int(port))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", int(port)))  # closed at once
        store = TCPStore(host, int(port), is_master=True, multi_tenant=True, timeout=timedelta(seconds=10))
    except (OSError, RuntimeError, ValueError) as error:
        raise LeptonError(
            f"training.ranks.address {address!r} cannot be opened on this machine ({_first_line(error)}); name an "
            "address of it, and a port that is free."
        ) from error
    store.set(_FIT, json.dumps(asdict(fit)))
    return store


def attend(address: str, processes: int | None, wait: int, folder: Path, report: Report) -> int:
    """Join every fit at an address, until none has come for `wait` seconds; each is reported in words.

    Returns how many were joined.
    """
    host, _, port = address.rpartition(":")
    until, last, joined = time.monotonic() + wait, "", 0
    while time.monotonic() < until:
        fit = _find_fit(host, int(port))
        if fit is None or fit.name == last:
            time.sleep(0.5)
            continue
        last, joined = fit.name, joined + 1
        report(f"joined a fit on {fit.machines} machines, device {fit.device}")
        try:
            Agent(fit, address, processes, folder).run(None, None)
        except (LeptonError, RuntimeError) as error:
            report(f"the fit failed: {error}")
        else:
            report("the fit is done")
        until = time.monotonic() + wait
    return joined


def _find_fit(host: str, port: int) -> Fit | None:
    """The fit that is offered at an address, if there is one."""
    try:
        # Of a store that is not there torch complains at length.
        socket.create_connection((host, port), timeout=2).close()
        store = TCPStore(host, port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=2))
        return Fit(**json.loads(store.get(_FIT)))
    except (OSError, RuntimeError, ValueError):
        return None


@dataclass(frozen=True)
class Agent:
    """Starts and watches the ranks of one machine; without an address, it is the only one."""

    fit: Fit
    address: str | None
    processes: int | None
    folder: Path

    def run(self, work: Work | None, epochs: Connection | None) -> dict[int, Done | None]:
        """What each rank of this machine returns."""
        # What happens to ranks is said once, by the error.
        logging.disable(logging.CRITICAL)
        if (interface := self._interface()) is not None:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
        start = elastic_launch(self._config(), _be_rank)
        alone = str(self.folder) if self.address is None else None
        try:
            found: dict[int, Done | LeptonError | None] = start(self._given(work), epochs, self.fit, alone)
        except ChildFailedError as error:
            raise _explained(error.failures) from None
        except RendezvousTimeoutError as error:
            raise LeptonError(
                f"fewer than {self.fit.machines} machines met at {self.address} within {self.fit.timeout} seconds: run "
                f"kedro join {self.address} on every other machine, or raise training.ranks.timeout."
            ) from error
        except (RendezvousError, distributed.DistError) as error:
            raise LeptonError(
                f"the machines lost one another at {self.address} ({_first_line(error)}); see whether all are there, "
                "and train again."
            ) from error
        for each in found.values():
            if isinstance(each, LeptonError):
                raise each
        return {rank: each for rank, each in found.items() if not isinstance(each, LeptonError)}

    def _given(self, work: Work | None) -> Given | None:
        return None if work is None else Given(work, partial(read_rows, self.folder))

    def _config(self) -> LaunchConfig:
        meeting: dict[str, str | bool] = {"store_type": "file"}
        if self.address is not None:
            meeting = {"is_host": False}
        return LaunchConfig(
            min_nodes=self.fit.machines,
            max_nodes=self.fit.machines,
            nproc_per_node=self.processes or self._usual_processes(),
            run_id=self.fit.name,
            rdzv_backend="c10d",
            rdzv_endpoint=self.address or str(self.folder / "agents"),
            rdzv_configs={**meeting, "timeout": self.fit.timeout, "join_timeout": self.fit.timeout},
            max_restarts=self.fit.max_restarts,
            monitor_interval=0.1,
            start_method="spawn",
            logs_specs=DefaultLogsSpecs(log_dir=str(self.folder)),
            local_addr="localhost" if self.address is None else _own_address(self.address),
            shutdown_timeout=5,
        )

    def _usual_processes(self) -> int:
        if self.fit.device == "cuda":
            return torch.cuda.device_count()
        return max(1, allowed_cores() // self.fit.threads)

    def _interface(self) -> str | None:
        """Name of the network interface through which the ranks exchange."""
        return _interface_of("127.0.0.1" if self.address is None else _own_address(self.address))


def _be_rank(
    given: Given | None, epochs: Connection | None, fit: Fit, folder: str | None
) -> Done | LeptonError | None:
    """Be one of the ranks; errors that all have in common are returned, so that they keep their kind.

    Ranks of one machine meet by files of a folder.
    """
    rank, size, card, restart = (
        int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT")
    )
    meeting = "env://" if folder is None else f"file://{folder}/ranks-{restart}"
    try:
        distributed.init_process_group(
            BACKENDS[fit.device], meeting, timedelta(seconds=fit.timeout), size, rank
        )
        return fit_by_rank(given, None if epochs is None else epochs.send, card)
    except LeptonError as error:
        return error
    except RuntimeError as error:
        if any(word in str(error) for word in LOST):
            # The rank that ended first is the cause; here its end is only felt.
            time.sleep(_SECONDS_TO_BE_SEEN)
        raise
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _explained(failures: dict[int, ProcessFailure]) -> Exception:
    """What a user can do about ranks that ended; a RuntimeError with the traceback where that is nothing."""
    rank, failure = min(failures.items(), key=lambda each: (each[1].exitcode >= 0, each[1].timestamp))
    again = "train again, or let training.ranks.max_restarts start all ranks anew."
    if failure.exitcode < 0:
        return LeptonError(
            f"rank {rank} (process {failure.pid}) was ended by {signal.Signals(-failure.exitcode).name}; if the system "
            f"did that for want of memory (SIGKILL), declare fewer training.ranks.processes. Else {again}"
        )
    said = failure.error_file_data.get("message", {})
    text, traceback = str(failure.message), str(said)
    if isinstance(said, dict):
        text, traceback = said["message"], said["extraInfo"]["py_callstack"]
    if text.startswith("OutOfMemoryError"):
        return LeptonError(
            f"the card of rank {rank} has no memory for a step: lower training.batch_size, or train on more cards."
        )
    if any(word in text for word in LOST):
        return LeptonError(f"rank {rank} lost another rank ({_first_line(text)}); {again}")
    return RuntimeError(f"rank {rank} failed with exit code {failure.exitcode}:\n{traceback}")


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _own_address(address: str) -> str:
    """This machine's address as seen by the host of another; nothing is sent."""
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, int(port)))
        own: str = probe.getsockname()[0]
    return own


def _interface_of(address: str) -> str | None:
    """Name of the network interface with an IPv4 address; None where the system does not say."""
    if sys.platform != "linux":
        return None
    from fcntl import ioctl

    get_address = 0x8915  # SIOCGIFADDR, netdevice(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            with suppress(OSError):
                answer = ioctl(any_socket.fileno(), get_address, struct.pack("256s", name.encode()[:15]))
                if socket.inet_ntoa(answer[20:24]) == address:
                    return name
    return None
