"""How lists and single things are shown."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], object]]

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
        table.add_column(title, overflow="fold")
    for row in listed:
        # Text, not str: what stands in square brackets in a name is not markup.
        table.add_row(*(Text(cell, style=_STATUS_STYLES.get(cell, "")) for cell in _cells(columns, row)))
    Console(highlight=False).print(table)


def show_fields(thing: Row, *, long: Sequence[str] = ()) -> None:
    """Each field on a line of its own, those in `long` as text below."""
    short = {name: value for name, value in thing.items() if name not in long and value not in (None, "")}
    width = max((len(name) for name in short), default=0)
    for name, value in short.items():
        print(
            f"{name:<{width}}  {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        )
    for name in long:
        if thing.get(name):
            print(f"\n{name}:\n{thing[name]}")


def first_line(text: object, *, limit: int = 60) -> str:
    lines = str(text or "").strip().splitlines()
    line = lines[0] if lines else ""
    return line if len(line) <= limit and len(lines) <= 1 else f"{line[: limit - 1]}…"


def _cells(columns: Sequence[Column], row: Row) -> list[str]:
    values = (value(row) for _, value in columns)
    return ["" if value is None else str(value) for value in values]
