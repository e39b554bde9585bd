"""What is derived from the log; appends nothing."""
