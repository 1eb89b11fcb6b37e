"""YAML files of what contexts have: read with the line of each part, and written."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from rota_cli.errors import CliError

Node = yaml.Node


@dataclass(frozen=True)
class Document:
    """`lines` tells of a path in it, like `jobs[0].timezone`, where it stands in the file."""

    source: str
    content: dict[str, Any]
    lines: dict[str, int] = field(repr=False)

    def place(self, path: str) -> str:
        """Where a path stands, or the nearest part around it: `team.yaml:14`."""
        while path and path not in self.lines:
            path = re.sub(r"(\.[^.\[]*|\[\d+\])$", "", path) if re.search(r"[.\[]", path) else ""
        return f"{self.source}:{self.lines.get(path, 1)}"


def read(path: Path, text: str) -> list[Document]:
    """The documents of a file.

    Raises:
        CliError: it is no YAML, or something in it cannot be meant; says where.

    """
    source = str(path)
    documents = []
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            lines = dict(_lines(node, "", source))
            content = _plain(loader.construct_document(node))
            if content is None:
                continue
            if not isinstance(content, dict):
                raise CliError(f"{source}:{node.start_mark.line + 1}: a document has fields, like jobs:")
            documents.append(Document(source, content, lines))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise CliError(f"{source}:{line}: this is no YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CliError(f"{source}: this is no YAML: {error}") from error
    return documents


def written(content: Mapping[str, Any]) -> str:
    """As YAML that reads back as the same; texts of several lines as such."""
    text: str = yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def _lines(node: Node, path: str, source: str) -> Iterator[tuple[str, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, one in enumerate(node.value):
            yield from _lines(one, f"{path}[{index}]", source)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise CliError(f"{source}:{key.start_mark.line + 1}: {name!r} is said twice: leave one out")
            seen.add(name)
            yield from _lines(value, f"{path}.{name}" if path else name, source)


def _plain(value: Any) -> Any:
    """As JSON has it: YAML makes dates of what looks like one."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value


class _Dumper(yaml.SafeDumper):
    pass


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
