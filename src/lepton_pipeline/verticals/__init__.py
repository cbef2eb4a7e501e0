"""Modules of verticals that need code beside their YAML: `<vertical>.py` with `ingestion()`."""
