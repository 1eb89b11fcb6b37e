"""`rota up` and `rota down`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rota_cli.up.options import DEFAULT_DATA_DIR, DEFAULT_PORT, Options, parse_scale

DataDir = Annotated[Path, typer.Option("--data-dir", help="Where everything is kept.", show_default=True)]


def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, help=f"The gateway's port.  (default: {DEFAULT_PORT} or the next free)"
        ),
    ] = None,
    scale: Annotated[
        list[str] | None, typer.Option(metavar="SERVICE=N", help="Run N processes of a service; repeatable.")
    ] = None,
    model: Annotated[
        Literal["local", "none"], typer.Option(help="Serve the small language model that comes with Rota.")
    ] = "local",
    *,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Seed an agent that looks at this machine.")
    ] = True,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when it is ready; 'rota down' stops it.")
    ] = False,
    notify: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Start the whole system on this machine and keep it running until Ctrl-C."""
    options = Options(data_dir, port, _scale(scale or []), model, demo)
    if detach:
        from rota_cli.up import background  # noqa: PLC0415 - keeps the other commands fast

        background.start(options)
    else:
        from rota_cli.up import foreground  # noqa: PLC0415 - see above

        foreground.run(options, notify=notify)


def down(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Stop the system that runs on a data directory, and wait until it is gone."""
    from rota_cli.up import background  # noqa: PLC0415 - keeps the other commands fast

    background.stop(data_dir)


def _scale(texts: list[str]) -> dict[str, int]:
    try:
        return parse_scale(texts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scale") from error
