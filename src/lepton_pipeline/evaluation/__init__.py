"""Quality of a model, with intervals, and its curves."""
