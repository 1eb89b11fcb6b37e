"""What the API and the pages share at the edge: who calls, one transaction, one error path."""
