"""The ticker decides when: it owns the timers and the ledger of occurrences."""
