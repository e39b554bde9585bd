"""What the three HTTP services share: problem+json, limits, and who is signed in."""
