"""Facts from tools and what a model may say about them. Pure.

A fact is one line of a tool's output. Code decides which of them need attention and whether a
sentence may stand for its fact; the model never does.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

# A sign counts where no word, number or sign stands before it: "-5", but neither "2026-01" nor "a-5".
_NUMBER = re.compile(r"(?:(?<![\w.,-])-)?\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[^\W\d_]{3,}")
_DENIALS = frozenset({"not", "never", "without", "neither", "nor", "cannot"})

_FULL = re.compile(r"(?:disk .*?|memory) (\d+(?:\.\d+)?)% (?:full|used)")
_LOAD = re.compile(r"load (\d+(?:\.\d+)?) on (\d+) cores?")
_FAILED = re.compile(r"service \S+ failed|the tool \S+ failed: .*", re.DOTALL)
ATTENTION_PERCENT = 90
MARK = "! "


def numbers(text: str) -> Counter[str]:
    """Every number in the text as it is written, with how often it stands there."""
    return Counter(_NUMBER.findall(text))


def invented_numbers(answer: str, sources: Iterable[str]) -> list[str]:
    """The numbers of the answer that stand in none of the sources."""
    known = {number for source in sources for number in numbers(source)}
    return [number for number in numbers(answer) if number not in known]


def is_faithful(sentence: str, fact: str) -> bool:
    """Whether the sentence may stand for the fact.

    One line, not much longer than the fact, exactly its numbers, all of its words, and no denial
    that the fact does not have: "service ticker failed" has no number that could give a lie away.
    """
    if not sentence or "\n" in sentence or len(sentence) > 3 * len(fact) + 40:
        return False
    said, given = _words(sentence), _words(fact)
    if "n't" in sentence.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") and "n't" not in fact:
        return False
    return numbers(sentence) == numbers(fact) and given <= said and not (said & _DENIALS) - given


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def needs_attention(fact: str) -> bool:
    """A disk or memory at 90 % or more, a load above twice the cores, whatever failed."""
    if match := _FULL.fullmatch(fact):
        return float(match[1]) >= ATTENTION_PERCENT
    if match := _LOAD.fullmatch(fact):
        return float(match[1]) > 2 * int(match[2])
    return _FAILED.fullmatch(fact) is not None


def facts_of(output: str) -> list[str]:
    """The facts that a tool's output holds: one per line that says something."""
    return [stripped for line in output.splitlines() if (stripped := line.strip())]


def report(facts: Sequence[str], sentences: Sequence[str]) -> str:
    """One line per fact, those that need attention first and marked."""
    pairs = [(needs_attention(fact), line) for fact, line in zip(facts, sentences, strict=True)]
    urgent = [f"{MARK}{line}" for attention, line in pairs if attention]
    return "\n".join(urgent + [line for attention, line in pairs if not attention])
