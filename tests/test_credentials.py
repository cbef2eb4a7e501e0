import logging

import pytest

from lepton_pipeline.credentials import mask_logs, without_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach postgresql://me:secret@db/x", "cannot reach postgresql://***@db/x"),
        ("https://token@host and s3://bucket/key", "https://***@host and s3://bucket/key"),
        ("http://me:p@ss/word@host:5000/api", "http://***@host:5000/api"),
        ("'http://me:a@one', 'http://me:b@two'", "'http://***@one', 'http://***@two'"),
        ("postgresql://db/x?user=me&password=secret&ssl=1", "postgresql://db/x?user=me&password=***&ssl=1"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_credentials_in_addresses_are_masked(text, shown):
    assert without_credentials(text) == shown


def test_log_records_of_any_library_are_masked(caplog):
    mask_logs()
    mask_logs()
    error = OSError("cannot reach http://me:secret@host")
    logging.getLogger("some.library").error("tried %s", "http://me:secret@host", exc_info=error)
    assert "secret" not in caplog.text
    assert caplog.text.count("http://***@host") == 2
