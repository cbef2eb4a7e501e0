"""The data contract of a table: what must hold, evaluated by chunks, reported and enforced."""
