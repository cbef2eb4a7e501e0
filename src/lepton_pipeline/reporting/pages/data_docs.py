"""The page of a data contract: its verdict, and the result of each expectation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lepton_pipeline.data.contracts.result import ContractResult, ExpectationResult
from lepton_pipeline.datasets import FolderDataset, Options
from lepton_pipeline.reporting.pages.frame import render


class DataDocsDataset(FolderDataset):
    """A folder with the page of a contract's result; `table` names a raw table, "" is the vertical's own."""

    def __init__(self, *, filepath: str, vertical: str, table: str = "", metadata: Options | None = None):
        super().__init__(filepath=filepath, metadata=metadata)
        self._vertical, self._table = vertical, table
        # Set by the hook that opens the run.
        self.run_id = ""

    def _write(self, data: ContractResult, path: Path) -> None:
        at = datetime.now(UTC)
        page = render_contract(data, self._vertical, self._table, self.run_id, at)
        super()._write({"index.html": page.encode()}, path)


def render_contract(result: ContractResult, vertical: str, table: str, run_id: str, at: datetime) -> str:
    """Render the page; `table` and `run_id` may be empty, `at` is the time of the check."""
    expectations = sorted(result.expectations, key=lambda each: each.success)
    return render(
        "contract.html",
        it=result,
        name=f"{vertical}, raw table {table}" if table else vertical,
        run_id=run_id,
        at=at.isoformat(),
        expectations=[{**vars(it), "verdict": _verdict(it), "found": _found(it)} for it in expectations],
    )


def _verdict(reported: ExpectationResult) -> tuple[str, str]:
    """CSS class and text."""
    if reported.success:
        return "passed", "✓ passed"
    if reported.error is not None:
        return "failed", "✗ could not be evaluated"
    return ("failed", "✗ failed") if reported.evaluated else ("waiting", "– not evaluated")


def _found(reported: ExpectationResult) -> str:
    examples = "; ".join(f"{each.value!r} (row {each.row})" for each in reported.examples)
    return examples or ("" if reported.success else reported.message)
