"""Every SQL statement of the ticker. PostgreSQL's clock is the only one that decides what is due."""
