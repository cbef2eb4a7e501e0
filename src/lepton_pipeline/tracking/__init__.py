"""MLflow's store: runs, experiments and where they are kept, without models."""
