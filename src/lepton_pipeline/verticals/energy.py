"""Energy: ten-minute meter readings labelled with the appliances' use in the following hour."""

from __future__ import annotations

import pandas as pd
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.verticals.raw_tables import finish_table, raw_table

_STEP, _STEPS = pd.Timedelta(minutes=10), 6


def ingestion() -> Pipeline:
    """From readings to readings with a label."""
    return Pipeline(
        [
            raw_table("appliances"),
            Node(label_next_hour, "checked_appliances", "labelled_appliances", name="label_next_hour"),
            finish_table("labelled_appliances"),
        ]
    )


def label_next_hour(appliances: pd.DataFrame) -> pd.DataFrame:
    """Add `next_hour`, the mean use of the next six readings (10 to 60 minutes later), looked up by time.

    Args:
        appliances: readings with `date` (each once) and `Appliances` (Wh in ten minutes), in any order.

    Returns:
        The readings that have all six, with their index labels; `next_hour` in Wh per ten minutes, float64.
    """
    use = appliances.set_index("date")["Appliances"]
    ahead = {
        step: use.reindex(appliances["date"] + step * _STEP).to_numpy(dtype="float64")
        for step in range(1, _STEPS + 1)
    }
    next_hour = pd.DataFrame(ahead, index=appliances.index).mean(axis="columns", skipna=False)
    return appliances.assign(next_hour=next_hour)[next_hour.notna()]
