"""`kedro vertical new`: draft the declaration of a vertical from its data."""
