"""What is sealed opens with the right key, in its own place, and nowhere else."""

import pytest

from rota_cli.local.secret import new_credential_key
from rota_vault import KeyListError, SealError, Vault, keys_of, new_key

SECRETS = {"value": "s3cr3t-valüe"}


def test_what_is_sealed_is_opened_in_its_place_and_does_not_show() -> None:
    vault = Vault([new_key()])
    sealed = vault.seal("here", SECRETS)
    assert vault.open("here", sealed) == SECRETS
    assert b"s3cr3t" not in sealed
    assert vault.seal("here", SECRETS) != sealed
    with pytest.raises(SealError, match="another place"):
        vault.open("there", sealed)


def test_the_first_key_seals_and_each_of_them_opens() -> None:
    old, new = new_key(), new_key()
    sealed = Vault([old]).seal("here", SECRETS)
    both = Vault([new, old])
    assert both.open("here", sealed) == SECRETS
    with pytest.raises(SealError, match="none of the keys"):
        Vault([new]).open("here", sealed)
    resealed = both.reseal(sealed)
    assert Vault([new]).open("here", resealed) == SECRETS
    with pytest.raises(SealError, match="none of the keys"):
        Vault([old]).open("here", resealed)
    with pytest.raises(SealError):
        Vault([new]).reseal(sealed)


def test_what_is_damaged_does_not_open() -> None:
    vault = Vault([new_key()])
    sealed = vault.seal("here", SECRETS)
    other = b"B" if sealed[40:41] == b"A" else b"A"
    for broken in (b"", b"x", sealed[:-4], sealed[:40] + other + sealed[41:]):
        with pytest.raises(SealError):
            vault.open("here", broken)


def test_keys_are_listed_by_commas_or_lines() -> None:
    one, two = new_key(), new_credential_key()
    assert keys_of(f"{one},{two}") == keys_of(f"{one}\n{two}\n") == [one, two]
    assert keys_of(" \n") == []


@pytest.mark.parametrize("key", ["short", "x" * 44, "!" * 44, "dG9vIHNob3J0"])
def test_what_is_no_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(KeyListError) as caught:
        keys_of(f"{new_key()},{key}")
    assert str(caught.value) == "key 2 of 2 is not 32 bytes in URL-safe base64"
    with pytest.raises(KeyListError):
        Vault([])
