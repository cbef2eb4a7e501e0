"""Start the retraining job of every vertical when its policy says so, on one machine and without a server.

A loop looks at the clock and starts what is due, or overdue, in a pool of threads. Ticks are cronsim's, which
follows Debian's cron; what must outlive a kill is a JSON file.

`kedro schedule run` turns into `python -m lepton_pipeline.operations.schedule`, which imports neither Kedro
nor
pandas: what waits for weeks should not hold 200 MB for it. Policies are read by a process that ends (`read`).
"""
