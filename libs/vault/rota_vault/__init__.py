"""Seals what is secret before it is stored, and opens it where it is used."""

from rota_vault.vault import KeyListError, SealError, Vault, keys_of, new_key

__all__ = ["KeyListError", "SealError", "Vault", "keys_of", "new_key"]
