"""Runs, model versions and the gate before the alias `champion`, in MLflow."""
