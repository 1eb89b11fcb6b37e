"""Every SQL statement of the gateway, one file per noun."""
