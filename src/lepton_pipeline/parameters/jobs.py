"""Names of pipelines: the vertical's, with a suffix for all but training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kedro.pipeline.node import Node

# The query of a vertical with several raw tables.
QUERY = "table.sql"
TRAINING, SCORING, MONITORING = "training", "scoring", "monitoring"
# Experiments without a pipeline: retraining jobs, backfills and searches of parameters.
RETRAINING, BACKFILL, TUNING = "retraining", "backfill", "tuning"
# Tag of a run: one of the above, or "partial".
KIND, PARTIAL = "kind", "partial"
_OTHERS = (SCORING, MONITORING, RETRAINING, BACKFILL, TUNING)


@dataclass(frozen=True, order=True)
class Job:
    """One pipeline of a vertical, whose name is also that of its MLflow experiment.

    Nodes of all purposes but "training" carry their purpose as a tag; `vertical` is their namespace.
    """

    vertical: str
    purpose: str = TRAINING

    @property
    def name(self) -> str:
        """Name of the pipeline: `finance`, `finance_scoring`."""
        return self.vertical if self.purpose == TRAINING else f"{self.vertical}_{self.purpose}"

    @classmethod
    def named(cls, name: str) -> Job:
        """The job of a pipeline."""
        vertical, _, purpose = name.rpartition("_")
        return cls(vertical, purpose) if vertical and purpose in _OTHERS else cls(name)

    @classmethod
    def of(cls, node: Node) -> Job:
        """The job of a node."""
        vertical = str(node.namespace).partition(".")[0]
        return cls(vertical, next((purpose for purpose in _OTHERS if purpose in node.tags), TRAINING))


def is_partial(tags: Mapping[str, str]) -> bool:
    """Whether a run made only a part of its pipeline; runs without a tag count as whole."""
    return tags.get(KIND) == PARTIAL


def name_problem(vertical: str) -> str | None:
    """Why a vertical cannot have this name, which ends like another pipeline's; None if it can."""
    purpose = Job.named(vertical).purpose
    if purpose == TRAINING:
        return None
    return f"names that end in _{purpose} are those of pipelines, such as finance_{purpose}; choose another"
