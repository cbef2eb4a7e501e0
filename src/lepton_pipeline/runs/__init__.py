"""Runs compared with one another and made again."""
