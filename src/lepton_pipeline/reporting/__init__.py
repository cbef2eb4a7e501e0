"""What people read of a run: report, pages and pictures."""
