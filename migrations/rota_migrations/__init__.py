"""The schema of Rota: one history from empty."""
