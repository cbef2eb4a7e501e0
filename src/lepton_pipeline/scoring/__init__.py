"""Scores for new rows: read in chunks, held to the contract, scored so that a killed run goes on where it was."""
