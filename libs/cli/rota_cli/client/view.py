"""How lists and single things are shown."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rota_cli.client.moment import local_time, zone_name

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], object]]

_WHOLE = ("id", "run")  # an identifier that is broken cannot be copied
_PIPE_WIDTH = 250

_STATUS_STYLES = {
    "success": "green",
    "active": "green",
    "error": "red",
    "partial": "yellow",
    "paused": "yellow",
    "running": "cyan",
}


def show_json(value: object) -> None:
    """Exactly the JSON of the API, indented."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(columns: Sequence[Column], rows: Iterable[Row], *, nothing: str) -> None:
    from rich.console import Console  # noqa: PLC0415 - only tables need it
    from rich.table import Table  # noqa: PLC0415 - see above
    from rich.text import Text  # noqa: PLC0415 - see above

    listed = list(rows)
    if not listed:
        print(nothing)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, _ in columns:
        table.add_column(title, overflow="fold", no_wrap=title in _WHOLE)
    for row in listed:
        # Text, not str: what stands in square brackets in a name is not markup.
        table.add_row(*(Text(cell, style=_STATUS_STYLES.get(cell, "")) for cell in _cells(columns, row)))
    Console(highlight=False, width=_width()).print(table)


def _width() -> int | None:
    """The terminal's; programs that read the table get whole lines."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH


def show_fields(thing: Row, *, long: Sequence[str] = ()) -> None:
    """Each field on a line of its own, instants in local time, those in `long` as text below."""
    short = {name: _text(name, value) for name, value in thing.items() if name not in long and _says(value)}
    if any(_is_instant(name) for name in short):
        short["times in"] = zone_name()
    width = max((len(name) for name in short), default=0)
    for name, text in short.items():
        print(f"{name:<{width}}  {text}")
    for name in long:
        if thing.get(name):
            print(f"\n{name}:\n{thing[name]}")


def _says(value: object) -> bool:
    return value is not None and value not in ("", [], {})


def _is_instant(name: str) -> bool:
    return name.endswith("_at") or name == "scheduled_for"


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return local_time(value) if _is_instant(name) else value
    return json.dumps(value, ensure_ascii=False)


def first_line(text: object, *, limit: int = 60) -> str:
    lines = str(text or "").strip().splitlines()
    line = lines[0] if lines else ""
    return line if len(line) <= limit and len(lines) <= 1 else f"{line[: limit - 1]}…"


def _cells(columns: Sequence[Column], row: Row) -> list[str]:
    values = (value(row) for _, value in columns)
    return ["" if value is None else str(value) for value in values]
