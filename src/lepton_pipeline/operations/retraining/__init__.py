"""Whether a vertical is due to be trained again, and the job that does it."""
