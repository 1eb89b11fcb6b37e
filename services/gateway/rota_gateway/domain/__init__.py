"""What the gateway decides and tells, without a clock, a database or a bus."""
