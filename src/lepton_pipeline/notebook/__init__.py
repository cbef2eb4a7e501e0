"""What a notebook shows of a vertical: `vertical = open_vertical("finance")`, then `vertical.runs()`."""

from lepton_pipeline.notebook.vertical import OpenVertical, open_vertical

__all__ = ["OpenVertical", "open_vertical"]
