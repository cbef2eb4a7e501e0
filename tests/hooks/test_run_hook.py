import logging

import pytest

from lepton_pipeline.errors import DiskFullError
from lepton_pipeline.hooks.run import _only_shown, _Run
from lepton_pipeline.jobs import Job


def shown(error, **options):
    with _only_shown(Job("shop"), _Run("0b1f", "as declared"), "its summary", **options):
        raise error


def test_a_summary_that_fails_is_one_line_that_says_what_and_where_to_look(caplog):
    caplog.set_level(logging.WARNING)
    shown(ValueError("no\nfigures of https://user:secret@example.org"))
    (line,) = caplog.messages
    assert line.startswith("shop: its summary failed (ValueError: no figures of https://***@example.org); run 0b1f is")
    assert line.endswith("kedro compare shop lists it, make ui shows it")


def test_what_a_user_can_mend_is_told_by_the_command_unless_it_was_only_printed(caplog):
    with pytest.raises(DiskFullError):
        shown(DiskFullError("the disk is full"))
    assert not caplog.messages
    shown(DiskFullError("the disk is full"), whatever=True)
    assert "the disk is full" in caplog.text
