"""Alerts: their causes, their text and the channels that carry them."""
