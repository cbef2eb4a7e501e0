"""Monitoring of a champion: drift of inputs and scores, and realised quality."""
