"""`rota credentials`: what tools sign in with. A secret is never an argument: others could see it."""

import getpass
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from rota_cli.client.lookup import context_id
from rota_cli.client.moment import local_time, zone_name
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import Column, Row, show_fields, show_json, show_table
from rota_cli.errors import CliError

app = typer.Typer(
    help="What tools of a context sign in with: it goes in, and never comes out.", no_args_is_help=True
)

Context = Annotated[str, typer.Option("--context", "-c", help="Id or name of the context.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
# In Google's own file of an authorised user.
OF_GOOGLE = ("client_id", "client_secret", "refresh_token")


@app.command("list")
@with_session
def list_credentials(session: Session, context: Context) -> None:
    """List the credentials of a context, without what is secret."""
    found = session.api.get(f"/contexts/{context_id(session.api, context)}/credentials")
    if session.as_json:
        show_json(found)
        return
    columns: list[Column] = [
        ("name", lambda one: one["name"]),
        ("kind", lambda one: one["kind"]),
        ("for", _for),
        ("by", lambda one: one["created_by"]),
        (f"set ({zone_name()})", lambda one: local_time(one["updated_at"])),
    ]
    show_table(columns, found["items"], nothing="there are no credentials")


@app.command("set")
@with_session
def set_credential(
    session: Session,
    name: Annotated[str, typer.Argument(help="Tools name it by this; those of Gmail take `gmail`.")],
    context: Context,
    kind: Annotated[
        Literal["secret", "http", "google"], typer.Option(help="What it is.  (default: secret)")
    ] = "secret",
    file: Annotated[
        Path | None,
        typer.Option(help="A file with the secret, - for standard input; of google, its JSON."),
    ] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="Of http: a host that it is sent to; repeatable.")
    ] = None,
    header: Annotated[str | None, typer.Option(help="Of http.  (default: Authorization)")] = None,
) -> None:
    """Add a credential, or replace the one of that name. Without --file you are asked for the secret."""
    body: dict[str, Any] = {"kind": kind}
    if host:
        body["hosts"] = host
    if header:
        body["header"] = header
    body |= _of_google(_secret(file, kind)) if kind == "google" else {"value": _secret(file, kind)}
    path = f"/contexts/{context_id(session.api, context)}/credentials/{quote(name, safe='')}"
    stored = session.api.put(path, body)
    if session.as_json:
        show_json(stored)
    else:
        show_fields(stored)


@app.command("delete")
@with_session
def delete(session: Session, name: str, context: Context, *, yes: Yes = False) -> None:
    """Delete a credential: what signs in with it fails from then on."""
    path = f"/contexts/{context_id(session.api, context)}/credentials/{quote(name, safe='')}"
    if not yes:
        typer.confirm(f"Delete credential {name!r}?", abort=True)
    session.api.delete(path)
    print(f"deleted credential {name}")


@app.command("rotate")
@with_session
def rotate(session: Session) -> None:
    """Seal all credentials under the first key of the list, so that the others may be taken out of it."""
    done = session.api.post("/credentials/rotate")
    if session.as_json:
        show_json(done)
    else:
        print(f"{done['resealed']} credentials are sealed under the first key")
    if done["unreadable"]:
        raise CliError(
            f"{done['unreadable']} credentials open with none of the keys",
            remedy="put their key back into ROTA_CREDENTIAL_KEYS, or set them anew",
        )


def _for(credential: Row) -> str:
    settings = credential["settings"]
    return ", ".join(settings.get("hosts") or []) or settings.get("client_id", "")


def _secret(file: Path | None, kind: str) -> str:
    if file is None:
        if not sys.stdin.isatty():
            raise CliError(
                "there is nobody to ask for the secret", remedy="give it with --file, - for standard input"
            )
        return getpass.getpass(f"the secret ({'JSON' if kind == 'google' else 'not shown'}): ")
    try:
        return (sys.stdin.read() if str(file) == "-" else file.read_text()).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = type(error).__name__
        raise CliError(f"cannot read {str(file)!r}: {why}", remedy="correct --file") from error


def _of_google(text: str) -> dict[str, str]:
    """The three that are needed, from the JSON of an authorised user."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise CliError("this is no JSON of an authorised user", remedy=f"it has {', '.join(OF_GOOGLE)}")
    return {name: str(content[name]) for name in OF_GOOGLE if name in content}
