"""From raw tables of any industry vertical to a registered model, by declaration."""

__version__ = "0.1.0"
