"""`report.json`, and one self-contained HTML page that shows it."""
