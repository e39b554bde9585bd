"""The HTTP service that answers investigators and examiners."""
