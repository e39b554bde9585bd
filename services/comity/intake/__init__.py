"""The HTTP service that takes enrolments, orders and grants."""
