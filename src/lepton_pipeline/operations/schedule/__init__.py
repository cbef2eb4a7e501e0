"""Start the retraining job of every vertical when its policy says so, on one machine and without a server.

APScheduler is the timekeeper: it starts what is due, or overdue, in a pool of threads. It was measured against huey,
which MLflow brings along: both start within a second and take 25 MB, but huey knows UTC only and does not catch up.
Two things of APScheduler are not used. Its cron counts weekdays from Monday, joins day and weekday by "and", and fires
at 02:30 twice in the night in which clocks are set back; ticks are cronsim's, which follows Debian's cron. Its stores
pickle; what must outlive a kill is a JSON file.

`kedro schedule run` turns into `python -m lepton_pipeline.operations.schedule`, which imports neither Kedro nor
pandas: what waits for weeks should not hold 200 MB for it. Policies are read by a process that ends (`read`).
"""
