"""Frame, style sheets and templates of all pages."""
