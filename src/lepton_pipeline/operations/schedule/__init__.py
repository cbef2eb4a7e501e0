"""Scheduler of the retraining jobs on one machine: cronsim, a thread pool and a JSON file."""
