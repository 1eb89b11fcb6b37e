"""The subcommands of `rota`; each imports what it needs when it runs, so that help comes at once."""
