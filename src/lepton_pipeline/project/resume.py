"""How to resume a failed run, in place of Kedro's hint, whose stages may fail again on the same data."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.project.user_errors import user_error

_RUNNERS = ("kedro.runner.sequential_runner", "kedro.runner.thread_runner")


class KedroHint(logging.Filter):
    """Removes Kedro's hint from the log; `given` if there was one, `nodes` are those to resume from."""

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
