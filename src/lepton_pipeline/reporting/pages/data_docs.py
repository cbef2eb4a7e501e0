"""The page on one data contract: its verdict, and what each expectation found."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lepton_pipeline.data.contracts.result import ContractResult, ExpectationResult
from lepton_pipeline.datasets import FolderDataset
from lepton_pipeline.reporting.pages.frame import render


class DataDocsDataset(FolderDataset):
    """A folder with the page of a contract, written from the contract's result.

    Args:
        filepath: the folder.
        vertical: whose contract it is.
        table: name of a raw table; empty for the table of the vertical.
        metadata: for hooks.
    """

    def __init__(
        self, *, filepath: str, vertical: str, table: str = "", metadata: dict[str, Any] | None = None
    ):
        super().__init__(filepath=filepath, metadata=metadata)
        self._vertical, self._table = vertical, table
        # Of MLflow; the hook that opens the run says it.
        self.run_id = ""

    def _write(self, data: ContractResult, path: Path) -> None:
        at = datetime.now(UTC)
        page = render_contract(data, self._vertical, self._table, self.run_id, at)
        super()._write({"index.html": page.encode()}, path)


def render_contract(result: ContractResult, vertical: str, table: str, run_id: str, at: datetime) -> str:
    """Write the page.

    Args:
        result: what `check_contract` found.
        vertical: whose contract it is.
        table: name of a raw table; empty for the table of the vertical.
        run_id: the run that checked it; empty where none is known.
        at: when it was checked.
    """
    expectations = sorted(result.expectations, key=lambda each: each.success)
    return render(
        "contract.html",
        it=result,
        name=f"{vertical}, raw table {table}" if table else vertical,
        run_id=run_id,
        at=at.isoformat(),
        expectations=[
            {**vars(each), "verdict": _verdict(each), "found": _found(each)} for each in expectations
        ],
    )


def _verdict(reported: ExpectationResult) -> tuple[str, str]:
    """A class of the style sheet and the words."""
    if reported.success:
        return "passed", "✓ passed"
    if reported.error is not None:
        return "failed", "✗ could not be evaluated"
    return ("failed", "✗ failed") if reported.evaluated else ("waiting", "– not evaluated")


def _found(reported: ExpectationResult) -> str:
    examples = "; ".join(f"{each.value!r} (row {each.row})" for each in reported.examples)
    return examples or ("" if reported.success else reported.message)
