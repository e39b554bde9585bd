"""The HTTP service for whoever runs the exchange, and for auditors: state, recall, repair, people."""
