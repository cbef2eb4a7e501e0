"""What is said of a cluster before Ray is imported."""

from __future__ import annotations

import signal
import socket

import pytest

from lepton_pipeline.errors import ConfigurationError, LeptonError
from lepton_pipeline.system import ray_cluster
from lepton_pipeline.system.ray_cluster import ADDRESS_VARIABLE, check_cluster
from lepton_pipeline.system.signals import keeping_sigterm


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: name)
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)


@pytest.fixture
def head():
    """The address of something that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_missing_library_is_said_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"not installed here: pip install 'lepton_pipeline\[ray\]'"):
        check_cluster("10.0.0.5:6379", "scoring.address")


def test_no_cluster_is_started_where_no_address_is_declared(installed):
    with pytest.raises(
        ConfigurationError, match=r"none is started here; set scoring\.address, or the variable"
    ):
        check_cluster(None, "scoring.address")


@pytest.mark.parametrize("address", ["local", "auto", "ray://10.0.0.5:10001", "10.0.0.5", "10.0.0.5:99999"])
def test_an_address_of_another_form_is_refused(installed, monkeypatch, address):
    with pytest.raises(ConfigurationError, match=f"scoring.address: '{address}' is no host:port"):
        check_cluster(address, "scoring.address")
    monkeypatch.setenv(ADDRESS_VARIABLE, address)
    with pytest.raises(ConfigurationError, match=f"RAY_ADDRESS: '{address}' is no host:port"):
        check_cluster(None, "scoring.address")


def test_the_key_comes_before_the_variable(installed, monkeypatch, head):
    assert check_cluster(head, "scoring.address") == head
    monkeypatch.setenv(ADDRESS_VARIABLE, head)
    assert check_cluster(None, "scoring.address") == head
    with pytest.raises(ConfigurationError, match=r"scoring\.address: 'elsewhere'"):
        check_cluster("elsewhere", "scoring.address")


def test_a_cluster_that_does_not_answer_is_named(installed, head):
    with socket.create_server(("127.0.0.1", 0)) as server:
        gone = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(
        LeptonError, match=f"the Ray cluster at {gone} cannot be used: .*refused. Is it"
    ) as caught:
        check_cluster(gone, "scoring.address")
    assert caught.value.exit_code == 1


def test_a_library_does_not_keep_the_handler_of_sigterm():
    before = signal.getsignal(signal.SIGTERM)
    with keeping_sigterm():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) == before
