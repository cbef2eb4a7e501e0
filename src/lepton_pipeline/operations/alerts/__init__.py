"""Alerts: what is sent to whom, through which channel."""
