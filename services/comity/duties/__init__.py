"""What the exchange does by itself, and appends to the log."""
