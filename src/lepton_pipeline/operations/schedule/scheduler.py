"""The scheduler: start due jobs, watch running ones, keep the state on disk, send alerts that jobs cannot."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.operations.schedule import process, state
from lepton_pipeline.operations.schedule.policies import Policies, Policy, fingerprint, run_module
from lepton_pipeline.system.readable import span_text

logger = logging.getLogger(__name__)
_KEPT_LOGS = 20
# Broken data and a refusal by the gate, about which the job alerts itself.
_TOLD = (3, 4)
_PATIENCE = 180.0

# Takes vertical, cause, text, moment and details.
SendAlert = Callable[[str, str, str, datetime, dict[str, Any]], None]


def retrain_command(env: str | None) -> Callable[[str], list[str]]:
    """The command of a vertical's job."""
    tail = ["--env", env] if env else []
    return lambda vertical: [sys.executable, "-m", "kedro", "retrain", vertical, *tail]


@dataclass(frozen=True)
class Options:
    """Options of a scheduler; times in seconds."""

    parallel: int = 1  # jobs at once, at most
    grace: float = 60.0  # from SIGTERM to SIGKILL
    poll: float = 5.0  # between looks at configuration and clock
    first_retry: timedelta = state.FIRST_RETRY


@dataclass(eq=False)
class Scheduler:
    """Follows the policies of a project.

    `command` gives the command of a vertical's job; `say` prints a line for each event; `fetch` reads the
    policies; `clock` has a time zone; `tell` sends alerts that a job cannot send itself.
    """

    project: Path
    command: Callable[[str], list[str]]
    say: Callable[[str], None]
    options: Options
    fetch: Callable[[], Policies]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    tell: SendAlert = lambda *_: None

    def __post_init__(self) -> None:
        self._folder = self.project / state.FOLDER
        self._seen: object = None
        self._unsaved: str | None = None
        # Verticals whose job runs or waits for a thread.
        self._busy: set[str] = set()
        self.policies = Policies()
        self.state = state.open_state(self._folder / "state.json", self.say)
        self.stop = threading.Event()

    def run(self) -> None:
        """Follow the policies until `stop` is set, then end the running jobs."""
        with ThreadPoolExecutor(self.options.parallel) as pool:
            try:
                while True:
                    self.reload()
                    seconds = self._start_due(pool)
                    self._report_disk()
                    if self.stop.wait(seconds):
                        break
            finally:
                self.stop.set()
        self.say("stopped")

    def once(self, verticals: list[str] | None = None) -> list[state.Result]:
        """Start the due jobs, or `verticals`, and wait for results; LeptonError if one cannot be started."""
        self.reload()
        now = self.clock()
        for vertical in verticals or []:
            if vertical not in self.policies.good:
                unknown = f"no vertical {vertical!r}; there are {', '.join(self.policies.good) or 'none'}."
                raise LeptonError(self.policies.wrong.get(vertical) or unknown)
        starts = {name: self._next(name, now) for name in self.policies.good}
        due = verticals or [name for name, start in starts.items() if start is not None and start <= now]
        with ThreadPoolExecutor(self.options.parallel) as pool:
            results = list(pool.map(self._fire_again, due))
        self._report_disk()
        return [result for result in results if result is not None]

    def reload(self) -> None:
        """Read the policies again if a configuration file has changed."""
        found = fingerprint(self.project)
        if self._seen is not None and found == self._seen:
            return
        try:
            policies = self.fetch()
        except LeptonError as error:
            if self._seen is None:
                raise
            self.say(f"{error}\nThe previous policies stay in force.")
            self._seen = found
            return
        again, self._seen = self._seen is not None, found
        for vertical, problem in policies.wrong.items():
            if problem != self.policies.wrong.get(vertical):
                self.say(f"{problem}\n{vertical} is not scheduled until this is corrected; the others are.")
                self.tell(vertical, "failed", f"It is not scheduled: {problem}", self.clock(), {})
        self.policies = policies
        now = self.clock()
        for vertical in policies.good:
            self.state.begin(vertical, now)
        scheduled = [name for name, policy in policies.good.items() if policy.cron is not None]
        event = "policies read again" if again else "started"
        self.say(f"{event}: {', '.join(scheduled) or 'no vertical'} scheduled")

    def fire(self, vertical: str) -> state.Result | None:
        """Run a job of a vertical to its end; None if it is no longer scheduled."""
        policy = self.policies.good.get(vertical)
        if policy is None or self.stop.is_set():
            return None
        if self.state[vertical].running is not None:
            return self._recover(policy)
        now = self.clock()
        record = state.begun(policy, self.state[vertical], now)
        self.state.put(vertical, record)
        log = self._folder / "logs" / vertical / f"{now:%Y%m%dT%H%M%S}Z-{record.attempt}.log"
        attempts = f"{record.attempt} of {max(policy.retries + 1, record.attempt)}"
        self.say(f"{vertical}: started (attempt {attempts}), {log}")

        def note_pid(pid: int) -> None:
            self.state.put(vertical, replace(self.state[vertical], running=state.Running(now, pid)))

        limits = process.Limits(policy.timeout, self.options.grace)
        code: int | None = None
        try:
            for old in sorted(log.parent.glob("*.log"))[: -_KEPT_LOGS + 1]:
                old.unlink(missing_ok=True)
            outcome, code = process.run_process(
                self.command(vertical), self.project, log, self._lock(vertical), limits, self.stop, note_pid
            )
        except process.StillRunningError:
            return self._recover(policy)
        except OSError as error:
            outcome = "not started"
            self.say(f"{vertical}: the job cannot be started: {error}")
        return self._note(policy, outcome, code, str(log.relative_to(self.project)))

    def _fire_again(self, vertical: str) -> state.Result | None:
        """Run a job, also after an orphan had to be waited for."""
        result = self.fire(vertical)
        return self.fire(vertical) if result is not None and result.outcome == "lost" else result

    def _recover(self, policy: Policy) -> state.Result:
        running = self.state[policy.vertical].running
        pid, started = (running.pid, running.started) if running else (None, self.clock())
        self.say(f"{policy.vertical}: a killed scheduler left a job of {started:%Y-%m-%d %H:%M}Z")
        spent = max((self.clock() - started).total_seconds(), 0.0)
        limits = process.Limits(max(policy.timeout - spent, 0.0), self.options.grace)
        process.wait_for_orphan(self._lock(policy.vertical), pid, limits, self.stop)
        return self._note(policy, "lost", None, "")

    def _note(self, policy: Policy, outcome: str, code: int | None, log: str) -> state.Result:
        vertical = policy.vertical
        record, now = self.state[vertical], self.clock()
        started = record.running.started if record.running else now
        result = state.Result(outcome, code, record.attempt, started, now, log)
        record = state.ended(policy, record, result, self.options.first_retry)
        self.state.put(vertical, record)
        shown = f"{vertical}: {outcome}" + (f" (exit code {code})" if code else "")
        retry = f"; started again at {record.retry_at:%Y-%m-%d %H:%M:%S}Z" if record.retry_at else ""
        self.say(f"{shown} after {max((now - started).total_seconds(), 0):.0f} s{retry}")
        if reason := alert_cause(policy, result, record.retry_at):
            self.tell(vertical, *reason, now, {"attempt": f"{result.attempt} of {policy.retries + 1}"})
        return result

    def _next(self, vertical: str, now: datetime) -> datetime | None:
        return state.next_start(self.policies.good[vertical], self.state[vertical], now)

    def _start_due(self, pool: ThreadPoolExecutor) -> float:
        """Start the due jobs, and return the seconds to wait."""
        now = self.clock()
        wait = self.options.poll
        for vertical in set(self.policies.good) - self._busy:
            start = self._next(vertical, now)
            if start is not None and start <= now:
                self._busy.add(vertical)
                pool.submit(self._work, vertical)
            elif start is not None:
                wait = min(wait, (start - now).total_seconds())
        return wait

    def _work(self, vertical: str) -> None:
        try:
            self.fire(vertical)
        except Exception:
            logger.exception("%s: the scheduler failed at this job", vertical)
        finally:
            self._busy.discard(vertical)

    def _lock(self, vertical: str) -> Path:
        return self._folder / f"{vertical}.lock"

    def _report_disk(self) -> None:
        problem = self.state.save()
        if problem != self._unsaved:
            self.say(f"the state cannot be written: {problem}" if problem else "the state is on disk again")
        self._unsaved = problem


def alert_sender(project: Path, env: str | None, say: Callable[[str], None]) -> SendAlert:
    """Make the function that sends an alert about a vertical; `say` prints its outcome."""

    def tell(vertical: str, cause: str, text: str, at: datetime, details: dict[str, Any]) -> None:
        alert = {"vertical": vertical, "cause": cause, "text": text, "at": at.isoformat(), "details": details}
        try:
            # In a session of its own: a Ctrl-C at the terminal is meant for the scheduler.
            options = {"input": json.dumps(alert), "timeout": _PATIENCE, "start_new_session": True}
            done, reason = run_module("alerts.notify", project, env, **options)
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = type(error).__name__
        lines = (
            [f"{vertical}: no alert can be sent: {reason}"] if reason else done.stderr.strip().splitlines()
        )
        for line in lines:
            say(line)

    return tell


def alert_cause(policy: Policy, result: state.Result, again: datetime | None) -> tuple[str, str] | None:
    """Cause and text of an alert about a job that may have died before alerting; `again`: its next start."""
    log = f" Its output: {result.log}" if result.log else ""
    if result.outcome == "timed out":
        limit = span_text(timedelta(seconds=policy.timeout))
        then = f"at {again:%H:%M} UTC" if again else "at its next scheduled time"
        return "hung", f"The job did not end within {limit} and was stopped; it starts again {then}.{log}"
    if result.outcome in ("done", "stopped") or again is not None or result.code in _TOLD:
        return None
    how = {"not started": "could not be started", "lost": "was lost when the scheduler was killed"}
    what = how.get(result.outcome, f"ended with exit code {result.code}")
    return "failed", f"The job {what}, at attempt {result.attempt} of {policy.retries + 1}.{log}"
