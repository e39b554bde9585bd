"""What an agency's records system imports."""
