"""Bytes to entries and back, no I/O."""
