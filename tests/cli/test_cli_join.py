"""`kedro join` as a user gives it; what it does is in test_fitted_by_ranks."""

from __future__ import annotations

import socket

import pytest
from click.testing import CliRunner

from lepton_pipeline.cli.join import join


@pytest.mark.parametrize("address", ["10.0.0.5", "10.0.0.5:", ":29400", "10.0.0.5:70000", "10.0.0.5:http"])
def test_what_is_no_address_is_refused(address):
    done = CliRunner().invoke(join, [address])
    assert done.exit_code == 2
    assert f"{address!r} is no address; write HOST:PORT, such as 10.0.0.5:29400." in done.stderr


def test_where_no_fit_comes_it_ends_and_says_so():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    done = CliRunner().invoke(join, [address, "--wait", "1"])
    assert done.exit_code == 0, done.stderr
    assert f"waiting for fits at {address}" in done.stdout
    assert f"no fit at {address} for 1 seconds" in done.stdout
