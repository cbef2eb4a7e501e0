"""What a vertical needs and YAML cannot say: a module `<vertical>.py` with `ingestion()`."""
