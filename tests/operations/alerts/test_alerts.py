"""Alerts, by real servers on loopback: what gets through, what is held back, what is said where nothing does."""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from alert_servers import Smtp, Webhook, closed_port, drip, hang, serving
from pydantic import ValidationError

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.alerts.channels import Patience
from lepton_pipeline.operations.alerts.send import Alert, Delivery, send
from lepton_pipeline.parameters import Alerts
from lepton_pipeline.project.declaration import read_vertical

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUICK = Patience(timeout=1.0, waits=(0.01, 0.02), deadline=20.0)
DETAILS = {"champion": "version 3", "job": "https://mlflow.example.org/#/experiments/1/runs/f"}


def alert(cause: str = "drift", at: datetime = NOW, text: str = "Drift of age.") -> Alert:
    return Alert("finance", cause, text, at, DETAILS)


def tell(folder: Path, alerts: Alerts, told: Alert | None = None, **options: object) -> list[tuple[str, str]]:
    outcomes = send(told or alert(), alerts, folder, **{"patience": QUICK, **options})  # type: ignore[arg-type]
    return [(outcome.channel, outcome.state) for outcome in outcomes]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    done = subprocess.run(
        [*made, *names, "-keyout", path, "-out", path.with_suffix(".crt")], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("openssl cannot make a certificate")
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


def letter_to(server: Smtp, **keys: object) -> Alerts:
    mail = {"to": ["ada@example.org", "bob@example.org"], "sender": "jobs@example.org", "host": "127.0.0.1"}
    return Alerts.model_validate({"mail": {**mail, "port": server.port, "starttls": False, **keys}})


def test_a_webhook_gets_text_for_people_and_fields_for_programs(tmp_path):
    with serving(Webhook()) as hook:
        assert tell(tmp_path, Alerts(webhook=hook.address)) == [("webhook", "sent")]
    assert hook.taken == [
        {
            "text": "finance: new rows differ from those of the training\nDrift of age.\nchampion: version 3\n"
            "job: https://mlflow.example.org/#/experiments/1/runs/f",
            "vertical": "finance",
            "cause": "drift",
            "at": "2026-11-22T12:00:00+00:00",
            "details": DETAILS,
        }
    ]
    assert hook.heads[0]["path"] == "/services/S3CRET?token=T0KEN"
    assert hook.heads[0]["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("answers", "state", "tries", "why"),
    [
        ((500, (429, {"Retry-After": "0"}), 204), "sent", 3, ""),
        ((503,), "failed", 3, "127.0.0.1: answered 503 Service Unavailable, 3 times"),
        ((400,), "failed", 1, "127.0.0.1: answered 400 Bad Request"),
        ((404, 200), "failed", 1, "127.0.0.1: answered 404 Not Found"),
        (
            ((302, {"Location": "/elsewhere"}),),
            "failed",
            1,
            "302 Found; declare the address that it leads to",
        ),
        (((308, {"Location": "/elsewhere"}),), "failed", 1, "308 Permanent Redirect; declare the address"),
        ((lambda hook: hook.wfile.write(b"nonsense\r\n\r\n"),), "failed", 3, "BadStatusLine, 3 times"),
        ((lambda hook: None, 200), "sent", 2, ""),
    ],
)
def test_what_may_get_through_later_is_tried_again(tmp_path, answers, state, tries, why):
    with serving(Webhook(*answers)) as hook:
        outcome = send(alert(), Alerts(webhook=hook.address), tmp_path, patience=QUICK)[0]
    assert (outcome.state, len(hook.taken)) == (state, tries)
    assert why in outcome.why
    assert "GET" not in hook.taken


@pytest.mark.parametrize(
    ("answer", "patience", "why"),
    [
        (hang, Patience(timeout=0.2, waits=(0.01,)), "no answer in time, 2 times"),
        # Each byte comes in time, and the answer never.
        (drip, Patience(timeout=1.0, waits=(), deadline=0.5), "no answer within 0.5 s"),
    ],
)
def test_nobody_is_waited_for_longer_than_declared(tmp_path, answer, patience, why):
    with serving(Webhook(answer)) as hook:
        outcome = send(alert(), Alerts(webhook=hook.address), tmp_path, patience=patience)[0]
    assert outcome.state == "failed"
    assert why in outcome.why


def test_user_and_password_of_an_address_go_into_a_header(tmp_path):
    with serving(Webhook()) as hook:
        address = hook.address.replace("//", "//me:p%40ss@")
        assert tell(tmp_path, Alerts(webhook=address)) == [("webhook", "sent")]
    assert hook.heads[0]["Authorization"] == "Basic bWU6cEBzcw=="


def test_secrets_are_in_no_outcome_log_or_state(tmp_path, monkeypatch, certificate, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("LEPTON_SMTP_USER", "keeper")
    monkeypatch.setenv("LEPTON_SMTP_PASSWORD", "S3CRET")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    shown = ""
    with serving(Webhook(400)) as hook, serving(Smtp(certificate, users={"keeper": "another"})) as server:
        addresses = [
            hook.address,
            hook.address.replace("//", "//me:S3CRET@"),
            f"http://127.0.0.1:{closed_port()}/S3CRET",
            "http://no-such-host.invalid/S3CRET",
            f"https://127.0.0.1:{hook.server_address[1]}/S3CRET",
            "http://127.0.0.1:80/S3C RET\x01",
        ]
        for number, address in enumerate(addresses):
            alerts = Alerts(webhook=address, mail=letter_to(server, starttls=True).mail)
            outcomes = send(Alert("finance", f"c{number}", "", NOW), alerts, tmp_path, patience=QUICK)
            assert [outcome.state for outcome in outcomes] == ["failed", "failed"]
            assert "LEPTON_SMTP_PASSWORD were refused (answer 535)" in outcomes[1].why
            shown += " ".join(map(str, outcomes))
    shown += caplog.text + "".join(capfd.readouterr())
    shown += "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "127.0.0.1" in shown
    for secret in ("S3CRET", "T0KEN", "S3C"):
        assert secret not in shown


def test_a_letter_has_what_a_webhook_gets(tmp_path):
    with serving(Smtp()) as server:
        told = alert(text="Drift of größe.\nAnd more.")
        assert tell(tmp_path, letter_to(server), told) == [("mail", "sent")]
    (letter,) = server.letters
    assert (letter["to"], letter["user"]) == (["ada@example.org", "bob@example.org"], None)
    message = message_from_bytes(letter["text"], policy=policy.default)
    assert message["Subject"] == "[lepton] finance: new rows differ from those of the training"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().split("\r\n" if "\r\n" in message.get_content() else "\n")[:3] == [
        "Drift of größe.",
        "And more.",
        "champion: version 3",
    ]


def test_a_password_is_given_over_an_encrypted_connection(tmp_path, monkeypatch, certificate):
    monkeypatch.setenv("LEPTON_SMTP_USER", "keeper")
    monkeypatch.setenv("LEPTON_SMTP_PASSWORD", "secret")
    with serving(Smtp(certificate, users={"keeper": "secret"})) as server:
        alerts = letter_to(server, starttls=True)
        distrusted = send(alert(), alerts, tmp_path, patience=QUICK)
        assert "its certificate is not trusted: self-signed certificate" in distrusted[0].why
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
        assert tell(tmp_path, alerts) == [("mail", "sent")]
        assert [(letter["user"], letter["encrypted"]) for letter in server.letters] == [("keeper", True)]
        plain = send(alert("decay"), letter_to(server), tmp_path, patience=QUICK)
        assert "not given without encryption (starttls)" in plain[0].why
    with serving(Smtp()) as server:
        none = send(alert(), letter_to(server, starttls=True), tmp_path / "other", patience=QUICK)
        assert "offers no STARTTLS" in none[0].why
        # Within one's own walls nobody asks.
        assert tell(tmp_path / "other", letter_to(server)) == [("mail", "sent")]
        assert server.letters[0]["user"] is None


def test_a_mail_server_that_is_busy_is_asked_again_and_a_refused_address_is_named(tmp_path):
    with serving(Smtp(answers=("451 later", "250 taken"), refuses=("bob@example.org",))) as server:
        outcomes = send(alert(), letter_to(server), tmp_path, patience=QUICK)
    assert outcomes == [Delivery("mail", "sent", "but not to bob@example.org, which the server refused")]
    with serving(Smtp(answers=("554 no",), refuses=("bob@example.org",))) as server:
        outcome = send(alert("decay"), letter_to(server), tmp_path, patience=QUICK)[0]
        assert outcome.why == f"127.0.0.1:{server.port}: answered 554"
        outcome = send(alert("decay"), letter_to(server, to=["bob@example.org"]), tmp_path, patience=QUICK)[0]
        assert outcome.why == f"127.0.0.1:{server.port}: no address was accepted (answer 550)"
    outcome = send(alert("decay"), letter_to(server, port=closed_port()), tmp_path, patience=QUICK)[0]
    assert "Connection refused, 3 times" in outcome.why


def test_a_cause_is_told_once_by_each_channel_until_it_has_cooled_down(tmp_path):
    with serving(Webhook(400, 200)) as hook:
        alerts = Alerts(webhook=hook.address, file="log/alerts.jsonl", cool_down="2h")

        def at(hours: float, cause: str = "drift") -> list[tuple[str, str]]:
            return tell(tmp_path, alerts, alert(cause, NOW + timedelta(hours=hours)))

        # What did not get through does not count as told.
        assert at(0) == [("webhook", "failed"), ("file", "sent")]
        assert at(1) == [("webhook", "sent"), ("file", "held back")]
        assert at(1, "decay") == [("webhook", "sent"), ("file", "sent")]
        assert at(2) == [("file", "sent"), ("webhook", "held back")]
        # Somebody who began later told it first.
        assert at(1.5) == [("webhook", "held back"), ("file", "held back")]
        # A clock that was far ahead silences nobody.
        assert at(-9) == [("webhook", "sent"), ("file", "sent")]
        held = send(alert("drift", NOW), Alerts(file="log/alerts.jsonl", cool_down="30h"), tmp_path)
        assert str(held[0]) == "file held back (until 2026-11-23 09:00 UTC)"
        assert tell(tmp_path, alerts, alert(at=NOW - timedelta(hours=8)), anyway=True) == [
            ("webhook", "sent"),
            ("file", "sent"),
        ]
    assert sorted(path.name for path in (tmp_path / "data/.alerts").iterdir()) == [
        "finance.json",
        "finance.lock",
    ]


def test_a_damaged_or_unwritable_state_tells_rather_twice_than_never(tmp_path, caplog):
    alerts = Alerts(file="alerts.jsonl")
    state = tmp_path / "data/.alerts/finance.json"
    assert tell(tmp_path, alerts) == [("file", "sent")]
    state.write_text('{"drift": {"file"')
    assert tell(tmp_path, alerts) == [("file", "sent")]
    assert tell(tmp_path, alerts) == [("file", "held back")]
    assert "no alert counts as sent" in caplog.text
    state.unlink()
    state.parent.rename(tmp_path / "moved")
    state.parent.write_text("in the way")
    assert tell(tmp_path, alerts) == [("file", "sent")]
    assert "without its lock" in caplog.text


MANY = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from lepton_pipeline.parameters import Alerts
from lepton_pipeline.operations.alerts.send import Alert, send
name, folder = sys.argv[1], Path(sys.argv[2])
at = datetime.now(UTC)
for number in range(20):
    alert = Alert(name, f"{number}", "long " * 20000, at, {})
    print(send(alert, Alerts(file="alerts.jsonl"), folder)[0].state)
"""


def test_processes_write_whole_lines_and_tell_once(tmp_path):
    # A line that a crash has cut.
    (tmp_path / "alerts.jsonl").write_text('{"text": "fin')

    def work(name: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", MANY, name, str(tmp_path)], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(work, ["finance", "finance", "retail", "retail"]))
    lines = (tmp_path / "alerts.jsonl").read_text().splitlines()
    told = [(line["vertical"], line["cause"]) for line in map(json.loads, lines[1:])]
    assert sorted(told) == sorted(
        (name, f"{number}") for name in ("finance", "retail") for number in range(20)
    )
    assert sorted(state for each in states for state in each) == ["held back"] * 40 + ["sent"] * 40


def test_whatever_goes_wrong_is_an_outcome(tmp_path, monkeypatch):
    def broken(*arguments: object) -> None:
        raise RuntimeError("http://127.0.0.1/S3CRET")

    monkeypatch.setattr("lepton_pipeline.operations.alerts.send.append_line", broken)
    assert send(alert(), Alerts(file="x"), tmp_path) == [Delivery("file", "failed", "RuntimeError")]
    monkeypatch.setattr("lepton_pipeline.operations.alerts.send._channels", broken)
    assert send(alert(), Alerts(file="x"), tmp_path) == [Delivery("", "failed", "RuntimeError")]
    monkeypatch.undo()
    (tmp_path / "x").mkdir()
    assert send(alert(), Alerts(file="x"), tmp_path)[0].why == f"{tmp_path / 'x'}: Is a directory"
    assert send(alert(), Alerts(), tmp_path) == []
    full = Path("/dev/full")
    if full.exists():
        outcome = send(alert(), Alerts(file=str(full)), tmp_path)[0]
        assert (outcome.state, outcome.why) == ("failed", "/dev/full: No space left on device")


def test_a_full_disk_leaves_no_half_line(tmp_path):
    alerts, file = Alerts(file="alerts.jsonl"), tmp_path / "alerts.jsonl"
    assert tell(tmp_path, alerts) == [("file", "sent")]
    before = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        outcome = send(alert("decay"), alerts, tmp_path)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (outcome.state, file.read_bytes()) == ("failed", before)


@pytest.mark.parametrize(
    "address", ["hooks/S3CRET", "ftp://host/S3CRET", "https:///S3CRET", "http://host:S3CRET/"]
)
def test_an_address_that_is_none_is_refused_without_being_shown(address):
    declared = {"dataset": {"target": "y", "positive": 1}, "alerts": {"webhook": address}}
    with pytest.raises(ConfigurationError) as refused:
        read_vertical("shop", declared)
    assert "shop.alerts.webhook: what is declared is no web address; write https://" in str(refused.value)
    with pytest.raises(ConfigurationError) as wrong:
        read_vertical("shop", {**declared, "alerts": address})
    assert "S3CRET" not in str(refused.value) + str(wrong.value)
    with pytest.raises(ValidationError):
        Alerts(webhook=address)


def test_a_cool_down_needs_a_unit():
    with pytest.raises(ConfigurationError, match=r"alerts\.cool_down: 5 has no unit"):
        read_vertical("shop", {"dataset": {"target": "y", "positive": 1}, "alerts": {"cool_down": 5}})
