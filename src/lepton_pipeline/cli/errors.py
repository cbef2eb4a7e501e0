"""Report errors of commands."""

from __future__ import annotations

import gc
import sys
import traceback
from typing import NoReturn

from lepton_pipeline.errors import ContractError, LeptonError
from lepton_pipeline.parameters.jobs import SCORING, Job
from lepton_pipeline.project.user_errors import user_error
from lepton_pipeline.system.readable import say

_INTERRUPTED = 130


def report_error(error: Exception, debug: bool, pipeline: str | None = None) -> int:
    """Print an error, without a traceback where the user can fix it, and return the exit code.

    `debug` shows the traceback in any case. `pipeline` names whose run wrote reports on a broken contract,
    None where nothing was written.
    """
    known = user_error(error)
    if debug or known is None:
        say("".join(traceback.format_exception(error)), to_stderr=True)
    if known is None:
        return LeptonError.exit_code
    say(f"\nerror: {known}", to_stderr=True)
    if isinstance(known, ContractError) and pipeline is not None:
        say(_evidence(known, Job.named(pipeline)), to_stderr=True)
    return known.exit_code


def end(code: int) -> NoReturn:
    """End the process without walking through the libraries' objects, which would take seconds."""
    gc.freeze()
    sys.exit(code)


def end_stopped(stop: BaseException, text: str) -> NoReturn:
    """Print a text and end with the code of a KeyboardInterrupt or SystemExit."""
    say(f"\n{text}", to_stderr=True)
    sys.exit(stop.code if isinstance(stop, SystemExit) else _INTERRUPTED)


def _evidence(error: ContractError, job: Job) -> str:
    vertical = job.vertical
    if job.purpose == SCORING:
        return (
            f"Contract: data/08_reporting/{vertical}/scoring/contract.json\n"
            f"Quarantined rows: data/07_model_output/{vertical}/batch_quarantine.parquet"
        )
    table = error.key.removeprefix("contract").removeprefix("tables.")
    reports = f"{vertical}/tables/{table}" if table else vertical
    rows = f"{vertical}/{table}" if table else vertical
    return (
        f"Data Docs: data/08_reporting/{reports}/data_docs/index.html\n"
        f"Quarantined rows: data/02_intermediate/{rows}/quarantine.parquet"
    )
