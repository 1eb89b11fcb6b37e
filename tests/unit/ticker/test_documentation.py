"""The page of the ticker names every disposition with its reason codes, and no other."""

import re
from pathlib import Path
from types import ModuleType

from rota_ticker import desk
from rota_ticker.domain import accounting, overlap
from rota_ticker.domain.accounting import Verdict
from rota_ticker.repository import ledger

PAGE = Path(__file__).parents[3] / "services" / "ticker" / "README.md"


def verdicts() -> set[tuple[str, str]]:
    """What is decided in the domain, and what is said in statements."""
    found = {
        (value.disposition, value.reason_code)
        for module in (accounting, overlap)
        for value in vars(module).values()
        if isinstance(value, Verdict)
    }
    found |= set(re.findall(r"disposition = '(\w+)', reason_code = '(\w+)'", source(ledger)))
    return found | set(re.findall(r'"(\w+)", "(\w+)", state=', source(desk)))


def source(module: ModuleType) -> str:
    assert module.__file__
    return Path(module.__file__).read_text()


def test_every_disposition_with_its_reason_code_is_on_the_page() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == len({*rows})
    assert {*rows} == verdicts()
