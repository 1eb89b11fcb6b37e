"""The gateway's HTTP API as seen from the shell."""
