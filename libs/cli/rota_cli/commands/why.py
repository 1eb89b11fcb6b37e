"""`rota why`: why a run did or did not happen."""

from typing import Annotated

import typer

from rota_cli.client.lookup import job_id
from rota_cli.client.moment import given
from rota_cli.client.session import Session, with_session
from rota_cli.client.view import show_json


@with_session
def why(
    session: Session,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its id or its name.")],
    instant: Annotated[
        str | None,
        typer.Argument(
            metavar="[INSTANT]", help="Local time unless it has an offset.  (default: the latest)"
        ),
    ] = None,
    context: Annotated[
        str | None, typer.Option("--context", "-c", help="Id or name of the job's context.")
    ] = None,
) -> None:
    """Say why a run did or did not happen."""
    path = f"/jobs/{job_id(session.api, job, context=context)}/why"
    found = session.api.get(path, at=given(instant) if instant else None)
    if session.as_json:
        show_json(found)
    else:
        print(f"{found['instant']}: {found['answer']}")
