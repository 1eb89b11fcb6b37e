"""The whole system on this machine: `rota up` and `rota down`."""
