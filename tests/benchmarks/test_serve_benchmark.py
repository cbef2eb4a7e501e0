"""The benchmark's arithmetic, and its client against a server that is no model."""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("serve")


class Handler(BaseHTTPRequestHandler):
    """Every seventh request is refused, every fifth misses a prediction."""

    protocol_version = "HTTP/1.1"
    count = 0

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["dataframe_records"]
        type(self).count += 1
        status = 400 if self.count % 7 == 0 else 200
        content = json.dumps({"predictions": rows[1:] if self.count % 5 == 0 else rows}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Keep the terminal clean."""


def test_refusals_and_missing_predictions_are_errors(serve):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        found = serve.load(server.server_address[1], os.getpid(), [{"a": 1}, {"a": 2}], 3, 0.3, 2)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    refused = [each for each in found.errors if each.startswith("ValueError('400")]
    missing = [each for each in found.errors if each == "2 predictions for 3 rows"]
    assert len(refused) + len(missing) == len(found.errors)
    assert len(refused) == Handler.count // 7
    assert len(found.latencies) == Handler.count - len(refused)
    assert missing
    assert found.memory[0] > 1


def test_quantiles_and_growth(serve):
    found = serve.Load(1, 10.0, [at / 1000 for at in range(1, 101)], [], [100.0] * 10 + [200.0] * 10)
    assert (found.quantile(0.5), found.quantile(0.99), found.quantile(1)) == (51.0, 100.0, 100.0)
    # After the middle it is level.
    assert found.growth == 0
    assert serve.Load(1, memory=[100.0] * 10 + [110.0] * 8 + [132.0] * 2).growth == pytest.approx(0.2)


def test_the_report_says_what_was_measured_and_whether_goals_are_met(serve):
    found = serve.Load(100, 10.0, [0.1] * 50, [], [700.0] * 20)
    text = serve.report([found], 6.2, [0.031, 0.012], 8, "shared with other work")
    assert "| 100            |       50 |               5.0 |           500 |    100 |" in text
    assert "`/ping` answered 6.2 s after the start of the command; the first request then took 31 ms" in text
    assert "no error (met); memory level" in text
    assert "(met: +0.0%)" in text
    assert "shared with other work" in text
    bad = serve.Load(1, 10.0, [0.1], ["ValueError('500')"], [700.0] * 10 + [800.0] * 10 + [900.0] * 10)
    assert "no error (missed)" in serve.report([bad], 6.2, [0.0, 0.0], 8, "")
    assert "ValueError('500')" in serve.report([bad], 6.2, [0.0, 0.0], 8, "")
