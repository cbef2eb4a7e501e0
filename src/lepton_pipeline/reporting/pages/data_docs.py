"""The page of a data contract: its verdict, and the result of each expectation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lepton_pipeline.data.contracts.result import ContractResult
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
    return render(
        "contract.html",
        it=result,
        name=f"{vertical}, raw table {table}" if table else vertical,
        run_id=run_id,
        at=at.isoformat(),
        expectations=sorted(result.expectations, key=lambda each: each.success),
    )
