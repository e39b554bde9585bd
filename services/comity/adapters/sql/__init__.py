"""The ledger's tables on SQLModel, and their migrations."""
