import os
import socket
import subprocess
import sys

import pytest

from lepton_pipeline.system import processes
from lepton_pipeline.system.processes import has_ended, identity

MACHINE, CONTAINER, OTHER = processes._MACHINE, "pid:[4026532001]", "pid:[4026532002]"


def seen_from(monkeypatch, namespace, boot="today"):
    monkeypatch.setattr(processes, "_namespace", lambda: namespace)
    monkeypatch.setattr(processes, "_boot", lambda: boot)


def test_a_process_lives_until_it_has_ended():
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    tags = identity() | {"process.id": str(other.pid), "process.started": processes._started(str(other.pid))}
    assert not has_ended(tags)
    other.communicate(b"\n")
    assert has_ended(tags)
    assert not has_ended(tags | {"process.host": "another"})


def test_another_process_with_its_number_is_not_taken_for_it():
    assert not has_ended(identity())
    assert has_ended(identity(), own=os.getpid())
    if processes._boot():
        assert has_ended(identity() | {"process.started": "1"})


@pytest.mark.parametrize(
    ("namespace", "boot", "seen", "ended"),
    [
        # Two live containers with one host name see nothing of each other, nor does the machine of a container.
        (CONTAINER, "today", OTHER, False),
        (CONTAINER, "today", MACHINE, False),
        (MACHINE, "today", CONTAINER, False),
        (CONTAINER, "today", CONTAINER, True),
        (MACHINE, "today", MACHINE, True),
        # A machine that has started again; a container of another machine may be called the same.
        (MACHINE, "yesterday", MACHINE, True),
        (CONTAINER, "yesterday", CONTAINER, False),
        # Of a release that did not say where its process ran.
        (None, None, MACHINE, True),
        (None, None, CONTAINER, False),
    ],
)
def test_only_who_can_see_a_process_says_that_it_has_ended(monkeypatch, namespace, boot, seen, ended):
    seen_from(monkeypatch, seen)
    tags = {"process.host": socket.gethostname(), "process.id": "999999999", "process.started": "1"}
    if boot:
        tags |= {"process.namespace": namespace, "process.boot": boot}
    assert has_ended(tags) is ended
