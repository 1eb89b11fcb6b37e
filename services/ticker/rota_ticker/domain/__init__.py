"""What the ticker decides, without a clock, a database or a bus."""
