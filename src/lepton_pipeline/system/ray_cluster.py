"""Attach to a Ray cluster that is there. None is started here, and no port is opened beside those of Ray's driver."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from lepton_pipeline.errors import ConfigurationError, LeptonError
from lepton_pipeline.system.signals import keeping_sigterm

ADDRESS_VARIABLE = "RAY_ADDRESS"
_ADDRESS = re.compile(r"(?P<host>[\w.-]+):(?P<port>\d{1,5})")
_SECONDS = 5


def check_cluster(declared: str | None, key: str) -> str:
    """The address of the cluster: `declared` under `key`, or else in the environment.

    Raises ConfigurationError if Ray is not installed or there is no address of the form host:port, LeptonError if
    nothing answers there.
    """
    if find_spec("ray") is None:
        raise ConfigurationError(
            "Ray is declared, but not installed here: pip install 'lepton_pipeline[ray]', here and on the nodes of the "
            "cluster; or declare local."
        )
    address = declared or os.environ.get(ADDRESS_VARIABLE, "")
    if not address:
        raise ConfigurationError(
            f"Ray is declared without the address of a cluster, and none is started here; set {key}, or the variable "
            f"{ADDRESS_VARIABLE}, to the host:port that ray start --head has printed."
        )
    found = _ADDRESS.fullmatch(address)
    # Ray would start a cluster for "local", and look for any for "auto".
    if found is None or int(found["port"]) > 65535:
        raise ConfigurationError(
            f"{key if declared else ADDRESS_VARIABLE}: {address!r} is no host:port of a cluster's head, such as "
            "10.0.0.5:6379; run this on one of its nodes, as a driver of Ray does."
        )
    try:
        socket.create_connection((found["host"], int(found["port"])), timeout=_SECONDS).close()
    except OSError as error:
        raise _unreachable(address, str(error)) from error
    return address


@contextmanager
def attached(declared: str | None, key: str) -> Iterator[None]:
    """Be a driver of the cluster inside the block; see `check_cluster` for its address and errors.

    A process that is a driver already stays one.
    """
    address = check_cluster(declared, key)
    # By itself, Ray starts a cluster for whoever asks for something after the end. It reads this when it is imported.
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    import ray

    if ray.is_initialized():
        yield
        return
    # It tries twenty times, which takes a quarter of an hour.
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")
    try:
        with keeping_sigterm():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _unreachable(address, str(error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def _unreachable(address: str, reason: str) -> LeptonError:
    first = reason.strip().partition("\n")[0].rstrip(".")
    return LeptonError(
        f"the Ray cluster at {address} cannot be used: {first}. Is it started (ray status), and is this machine one of "
        "its nodes, with the same Python and Ray?"
    )
