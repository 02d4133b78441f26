"""Help when something went wrong: the log, the marks that a crash leaves, and what to send to whoever can help."""
