"""Errors that a user can fix, found within those of libraries, and how to resume a run after them."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lepton_pipeline.errors import ConfigurationError, DataError, DiskFullError, LeptonError, StoreError
from lepton_pipeline.system.permissions import refused
from lepton_pipeline.tracking.database import damaged

_RUNNERS = ("kedro.runner.sequential_runner", "kedro.runner.thread_runner")


def user_error(error: BaseException) -> LeptonError | None:
    """The `LeptonError` among an error's causes, or one made of a library's error, or None."""
    from kedro.config import MissingConfigException
    from kedro.io import DatasetError
    from yaml import YAMLError

    for cause in _chain(error, implicit=False):
        if isinstance(cause, LeptonError):
            return cause
    for cause in _chain(error):
        if (problem := refused(cause)) is not None:
            return problem
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            where = f" for {cause.filename}" if cause.filename else ""
            return DiskFullError(f"the disk is full{where}; make room, and start the same command again.")
    if isinstance(error, MissingConfigException) and (folder := _absent_environment(error)):
        there = ", ".join(sorted(each.name for each in folder.parent.iterdir() if each.is_dir()))
        return ConfigurationError(f"--env: there is no folder {folder}; environments are {there}.")
    if isinstance(error, (MissingConfigException, YAMLError)):
        return ConfigurationError(str(error))
    if isinstance(error, DatasetError):
        return DataError(f"{error}; check the entry in the catalog and what it points to.")
    said = "".join(map(str, _chain(error)))
    if (problem := damaged(said)) is not None:
        return problem
    if "attempt to write a readonly database" in said:
        return ConfigurationError(
            "MLflow's database cannot be written by this user: let its owner run the command, or let the owner share "
            "the project with a group (docs/operating.md, Several users)."
        )
    if store_lost(error):
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return StoreError(
            f"MLflow's store cannot be reached: {reason}. Stages that have finished are on disk: when the store is "
            "there again, go on with the same command and --only-missing-outputs."
        )
    return None


def _absent_environment(error: BaseException) -> Path | None:
    """The folder of an environment that Kedro has not found, if that is the error."""
    found = re.fullmatch(r"Given configuration path .* is not a valid directory: (.+)", str(error))
    folder = None if found is None else Path(found[1])
    return folder if folder is not None and folder.parent.is_dir() else None


def store_lost(error: BaseException) -> bool:
    """Whether MLflow's server or database cannot be reached."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import OperationalError

    kinds = [type(each) for each in _chain(error)]
    lost = any(issubclass(kind, RequestException | OperationalError) for kind in kinds)
    return lost and any(issubclass(kind, MlflowException) for kind in kinds)


def _chain(error: BaseException, implicit: bool = True) -> Iterator[BaseException]:
    """The error and its causes, with `implicit` also errors that were being handled."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (cause.__context__ if implicit else None)


class KedroHint(logging.Filter):
    """Removes Kedro's hint, whose stages may fail again on the same data, from the log.

    `given` if there was one, `nodes` are those to resume from.
    """

    given, nodes = False, ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the hint, keep other records."""
        message = record.getMessage()
        if found := re.search(r'--from-nodes "([^"]+)"', message):
            self.nodes = found[1]
        hint = bool(found) or message.startswith("No nodes ran.")
        self.given |= hint
        return not hint


@contextmanager
def kedro_hint() -> Iterator[KedroHint]:
    """Keep Kedro's hint out of the log within the block."""
    hint = KedroHint()
    for name in _RUNNERS:
        logging.getLogger(name).addFilter(hint)
    try:
        yield hint
    finally:
        for name in _RUNNERS:
            logging.getLogger(name).removeFilter(hint)


def resume_advice(error: Exception, pipeline: str, hint: KedroHint) -> str:
    """Advice after an error in a stage; empty if the error gives it, or before any stage began."""
    known = user_error(error)
    if not hint.given or (known is not None and not isinstance(known, (ConfigurationError, DataError))):
        return ""
    if known is not None:
        return f"Once that is mended, run it again whole: kedro run --pipelines {pipeline}"
    if not hint.nodes:
        return "Nothing was finished: start the same command again."
    return f'What was finished is kept; go on with the same command and --from-nodes "{hint.nodes}"'
