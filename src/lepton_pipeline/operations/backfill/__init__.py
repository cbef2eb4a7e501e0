"""Backfill: what a retraining policy would have done in the past, and its value."""
