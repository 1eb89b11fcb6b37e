"""What of a transcript is told next, while it grows."""

import msgspec

from rota_chassis.redaction import Redactor
from rota_contracts.transcript import Entry
from rota_executor.progress import MAX_BYTES, MAX_ENTRY, Spoken, steps_after
from rota_executor.transcript import Transcript

OPEN = Redactor()


def test_entries_are_told_once_with_their_position() -> None:
    transcript, spoken = Transcript(), Spoken(0)
    transcript.add(Entry(role="user", content="a"), Entry(role="assistant", content="b"))
    steps = steps_after(spoken, transcript, OPEN)
    assert [(step.position, step.entry and step.entry.content) for step in steps] == [(1, "a"), (2, "b")]
    assert steps_after(spoken, transcript, OPEN) == []


def test_text_is_told_piece_by_piece_and_then_as_an_entry() -> None:
    transcript, spoken = Transcript(), Spoken(0)
    transcript.write(0, "Hel")
    [first] = steps_after(spoken, transcript, OPEN)
    transcript.write(0, "lo")
    [second] = steps_after(spoken, transcript, OPEN)
    transcript.add(Entry(role="assistant", content="Hello"))
    [whole] = steps_after(spoken, transcript, OPEN)
    assert (first.position, first.offset, first.text) == (1, 0, "Hel")
    assert (second.position, second.offset, second.text) == (1, 3, "lo")
    assert whole.entry == Entry(position=1, role="assistant", content="Hello")


def test_the_text_of_a_later_part_waits_for_what_is_before_it() -> None:
    transcript = Transcript()
    transcript.write(1, "later")
    assert steps_after(Spoken(0), transcript, OPEN) == []


def test_a_secret_is_told_neither_whole_nor_in_pieces() -> None:
    hidden, transcript, spoken = Redactor(), Transcript(), Spoken(0)
    hidden.add(["s3cret-value"])
    told = ""
    for character in "It is s3cret-value, which nobody may know; so much is clear.":
        transcript.write(0, character)
        told += "".join(step.text for step in steps_after(spoken, transcript, hidden))
    assert told.startswith("It is [redacted], which")
    transcript.add(Entry(role="assistant", content=transcript.writing or "It is s3cret-value."))
    assert "s3cret" not in told + repr(steps_after(spoken, transcript, hidden))


def test_a_long_transcript_is_told_in_messages_of_a_bounded_size() -> None:
    transcript, spoken = Transcript(), Spoken(0)
    transcript.add(*(Entry(role="tool", content="\N{PILE OF POO}" * 90_000) for _ in range(30)))
    told = 0
    while steps := steps_after(spoken, transcript, OPEN):
        assert len(msgspec.json.encode(steps)) < MAX_BYTES + 6 * MAX_ENTRY < 64_000
        told += len(steps)
    assert told == 30


def test_a_run_that_goes_on_after_it_waited_tells_what_is_new() -> None:
    transcript = Transcript(resumed=1)
    transcript.add(Entry(role="user", content="before"), Entry(role="tool", content="after"))
    [step] = steps_after(Spoken(transcript.resumed), transcript, OPEN)
    assert (step.position, step.entry and step.entry.content) == (2, "after")
