"""What may be read without a disclosure: what a party entered itself, and how that stands now."""
