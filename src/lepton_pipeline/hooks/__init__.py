"""Around a Kedro run: declarations are checked, stale results removed, a run kept in MLflow."""

from lepton_pipeline.hooks.declaration import DeclarationHook
from lepton_pipeline.hooks.freshness import FreshnessHook
from lepton_pipeline.hooks.run import RunHook
from lepton_pipeline.hooks.scoring_input import ScoringInputHook

__all__ = ["DeclarationHook", "FreshnessHook", "RunHook", "ScoringInputHook"]
