"""The pages for clerks, investigators and examiners."""
