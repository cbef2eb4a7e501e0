"""Files, locks, processes and secrets: what every room needs of the operating system."""
