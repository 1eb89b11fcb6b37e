"""Access to an account of Google by the refresh token of a credential."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2

from rota_executor.calls import Credential, CredentialError, ToolCall

SCOPES = ("https://www.googleapis.com/auth/gmail.readonly",)
TIMEOUT_SECONDS = 15.0
# A token is not used in the last moments of its life.
MARGIN_SECONDS = 60.0
LIFE_SECONDS = 3600.0


class GoogleTokens:
    """Access tokens by credential, for as long as they are good: each refresh is a request to Google."""

    def __init__(self, token_url: str) -> None:
        self._token_url = token_url
        self._kept: dict[str, tuple[str, float]] = {}
        self._refreshing = asyncio.Lock()

    async def token(self, credential: Credential, call: ToolCall) -> str:
        """An access token, which the run hides from then on.

        Raises:
            CredentialError: Google does not accept the credential.

        """
        async with self._refreshing:
            token, until = self._kept.get(credential.version, ("", 0.0))
            if time.monotonic() >= until:
                token, life = await asyncio.to_thread(self._refresh, credential)
                self._kept[credential.version] = (token, time.monotonic() + life - MARGIN_SECONDS)
        call.hide([token])
        return token

    def forget(self, credential: Credential) -> None:
        """The next one is asked for anew: this one was refused."""
        self._kept.pop(credential.version, None)

    def _refresh(self, credential: Credential) -> tuple[str, float]:
        # Slow, and not needed before an account is asked for.
        from google.auth.exceptions import GoogleAuthError, RefreshError  # noqa: PLC0415
        from google.oauth2.credentials import Credentials  # noqa: PLC0415

        signed_in = Credentials(  # type: ignore[no-untyped-call]  # as google-auth has it
            token=None,
            refresh_token=credential.secrets["refresh_token"],
            token_uri=self._token_url,
            client_id=credential.settings["client_id"],
            client_secret=credential.secrets["client_secret"],
            scopes=SCOPES,
        )
        try:
            with httpx2.Client(timeout=TIMEOUT_SECONDS) as client:
                signed_in.refresh(_Asking(client))  # type: ignore[no-untyped-call]  # as above
        except RefreshError as error:
            raise CredentialError(_refused(credential.name, error)) from error
        except (GoogleAuthError, httpx2.TransportError) as error:
            raise ConnectionError(f"Google cannot be reached to sign in: {type(error).__name__}") from error
        if signed_in.expiry is None:
            return str(signed_in.token), LIFE_SECONDS
        left = signed_in.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
        return str(signed_in.token), min(left.total_seconds(), LIFE_SECONDS)


def _refused(name: str, error: Exception) -> str:
    said = str(error.args[0]) if error.args else ""
    if "invalid_grant" in said:
        return (
            f"Google no longer accepts the refresh token of the credential {name!r}, which was revoked or is "
            "too old: sign in again and set the credential anew"
        )
    return f"Google does not accept the credential {name!r}: {said.partition(':')[0][:200]}"


class _Answer:
    """What google-auth reads of an answer."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.data = response.content


class _Asking:
    """How google-auth asks: google.auth.transport.Request."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002  the client has one
        **_: Any,
    ) -> _Answer:
        return _Answer(self._client.request(method, url, content=body, headers=dict(headers or {})))
