"""What else a shop's customers would buy: the same pairs as retail_recommendation's, of new items only."""

from __future__ import annotations

from lepton_pipeline.verticals.retail_recommendation import ingestion

__all__ = ["ingestion"]
