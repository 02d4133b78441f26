"""Help after a failure: the log, crash marks, and a diagnostics report without personal names."""
