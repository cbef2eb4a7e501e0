"""Report, pages and pictures of a run."""
