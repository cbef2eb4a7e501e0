"""What is a secret, wherever it stands, and what is none."""

import logging
import re
from time import perf_counter

import pytest

from lepton_pipeline.system import credentials
from lepton_pipeline.system.credentials import learn, masked
from lepton_pipeline.system.readable import readable_logs


@pytest.fixture(autouse=True)
def _nothing_learnt(monkeypatch):
    monkeypatch.setattr(credentials, "_known", set())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach postgresql://me:secret@db/x", "cannot reach postgresql://***@db/x"),
        ("https://token@host and s3://bucket/key", "https://***@host and s3://bucket/key"),
        ("http://me:p@ss/word@host:5000/api", "http://***@host:5000/api"),
        ("'http://me:a@one', 'http://me:b@two'", "'http://***@one', 'http://***@two'"),
        ("the store 'postgresql:me:sec/r@t@db/x'", "the store '***@db/x'"),
        ("me:secret@host:5000", "***@host:5000"),
        ("postgresql://db/x?user=me&password=secret&ssl=1", "postgresql://db/x?user=me&password=***&ssl=1"),
        ("https://host/x.csv?sig=a%2Fb&access_token=c", "https://host/x.csv?sig=***&access_token=***"),
        ("alerts.webhook=https://a.example/T0/B0 epochs=3", "alerts.webhook=https://a.example/*** epochs=3"),
        ("webhook:\n+      https://a.example?k=1", "webhook:\n+      https://a.example/***"),
        ("https://hooks.example.org/services/T0", "https://hooks.example.org/***"),
        ("https://chat.example/api/webhooks/1/x", "https://chat.example/api/webhooks/***"),
        ("--params shop.x.password=abc,epochs=3 --env prod", "--params shop.x.password=*** --env prod"),
        ("{'token': 'a b', \"api_key\": \"c\"}", "{'token': '***', \"api_key\": \"***\"}"),
        (
            'in "x", line 3:\n    password: a: b\n    user: c',
            'in "x", line 3:\n    password: ***\n    user: c',
        ),
        ("authorization: Bearer abc.def-123", "authorization: Bearer ***"),
    ],
)
def test_a_secret_is_masked(text, shown):
    assert masked(text) == shown
    assert masked(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "mail me@example.org, or mailto:me@example.org",
        "12:30:45 s3://bucket/key git@example.org:a/b",
        "shop.alerts.webhook: this must be a text",
        "+    webhook: ${oc.env:ALERTS_WEBHOOK,null}",
        "max_tokens=100 tokenizer=small monkey=1",
        "column 'token': 3 values; password, secret and key are columns",
    ],
)
def test_what_is_no_secret_stays(text):
    assert masked(text) == text


def test_a_declaration_keeps_what_runs_are_compared_by():
    declared = {
        "alerts": {
            "webhook": "https://me:pw@A.example:8443/T0/B0",
            "mail": {"to": ["ada@example.org"]},
            "file": None,
        },
        "features": {"derive": {"token": "a - b"}, "windows": {"password": {"of": "a"}}},
        "training": {"seed": 1},
    }
    alerts = {**declared["alerts"], "webhook": "https://a.example/***"}
    assert masked(declared) == {**declared, "alerts": alerts}


def test_a_patch_is_masked_but_code_that_only_names_a_secret_is_not():
    patch = b"""diff --git a/src/x.py b/src/x.py
-def connect(password: str, token=token):
+def connect(password: str = "one", token=token):
+    con = "postgresql://me:two@db/x\xff"
diff --git a/conf/base/shop/catalog.yml b/conf/base/shop/catalog.yml
-  credentials: {key: three, password: four}
+  token: five
"""
    assert masked(patch) == re.sub(rb"one|me:two|four|five", b"***", patch)


def test_what_was_learnt_is_masked_by_its_value(monkeypatch):
    learn(
        {"db": {"con": "postgresql://me:p@ss/w0rd@db/x", "user": "keeper"}, "s3": {"key": "AKIA123"}},
        secret=True,
    )
    learn({"tracking_uri": "justatoken@host:5000", "file": "data/alerts.jsonl", "port": "123456"})
    monkeypatch.setenv("SHOP_API_TOKEN", "fromoutside")
    monkeypatch.setenv("SOME_TOKEN", "true")
    monkeypatch.setenv("PRIVATE_KEY", "/etc/hosts")
    assert masked("p@ss/w0rd p%40ss%2Fw0rd AKIA123 justatoken fromoutside") == "*** *** *** *** ***"
    others = "AKIA1234 keeper data/alerts.jsonl 123456 true /etc/hosts"
    assert masked(others) == others


@pytest.mark.parametrize(
    "text", ["a:", "webhook ", "https://a/", "secret", "?key", "+ token {", " ", "://", "- "]
)
def test_a_long_text_takes_no_longer_than_it_is(text):
    start = perf_counter()
    masked(text * 20_000)
    assert perf_counter() - start < 5


def test_log_records_of_any_library_are_masked_and_have_no_control_characters(caplog):
    readable_logs()
    readable_logs()
    error = OSError("cannot reach http://me:secret@host")
    logging.getLogger("some.library").error("tried %s \x1b[31m", "http://me:secret@host", exc_info=error)
    logging.getLogger("some.library").error("wrong %d", "http://me:secret@host")
    assert "secret" not in caplog.text
    assert caplog.text.count("http://***@host") == 3
    assert "tried http://***@host \\x1b[31m" in caplog.text
