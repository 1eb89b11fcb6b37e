"""YAML files: what stands where, and what is refused."""

from pathlib import Path

import pytest

from rota_cli.client.documents import read, written
from rota_cli.errors import CliError

TEXT = """\
context: Home
jobs:
  - name: Morning
    cron_expression: 0 7 * * *
    start_at: 2027-01-01
    skill_prompt: |
      Look.
      Then tell.
---
context: Office
agents: []
"""


def test_documents_are_read_with_the_line_of_each_part() -> None:
    home, office = read(Path("team.yaml"), TEXT)
    assert home.content["jobs"][0]["start_at"] == "2027-01-01"
    assert home.place("jobs[0].cron_expression") == "team.yaml:4"
    # What is missing is told where it belongs.
    assert home.place("jobs[0].agent_name") == "team.yaml:3"
    assert home.place("jobs[0].tools[3].name") == "team.yaml:3"
    assert home.place("nothing") == "team.yaml:1"
    assert office.place("agents") == "team.yaml:11"
    assert read(Path("empty.yaml"), "# nothing\n---\n") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jobs:\n  - name: a\n    name: b\n", "x.yaml:3: 'name' is said twice"),
        ("jobs: [\n", "x.yaml:2: this is no YAML"),
        ("- a\n", "x.yaml:1: a document has fields"),
        ("a: !!python/object:os.system x\n", "x.yaml:1: this is no YAML"),
        ("a: \x00\n", "x.yaml: this is no YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(CliError) as caught:
        read(Path("x.yaml"), text)
    assert str(caught.value).startswith(said)


def test_what_is_written_reads_back_the_same() -> None:
    content = {
        "context": "Home",
        "jobs": [{"name": "ä: no", "skill_prompt": "Two\nlines\n", "start_at": "2027-01-01", "n": None}],
    }
    (document,) = read(Path("x"), written(content))
    assert document.content == content
    assert "skill_prompt: |" in written(content)
