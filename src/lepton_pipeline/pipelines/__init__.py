"""Wiring of stages into Kedro pipelines."""
