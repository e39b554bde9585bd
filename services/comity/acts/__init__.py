"""One act of a person per file; every disclosure leaves through release."""
