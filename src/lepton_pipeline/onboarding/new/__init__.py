"""`kedro vertical new`: the declaration of a new vertical from its data."""
