"""Whether anybody listens: the server says at once when a question has nobody to go to."""

from collections.abc import Sequence

from rota_bus.wire import WireClient, answer_frame, headers_of

NO_RESPONDERS = "503"


async def absent(client: WireClient, subjects: Sequence[str], seconds: float) -> set[str]:
    """Those of the subjects that nobody is subscribed to. Who is and does not answer is present.

    Raises:
        OSError, TimeoutError: the server did not answer.

    """
    async with client.answers(len(subjects)) as asked:
        questions = [
            answer_frame(b"%b %b" % (subject.encode(), reply), b"")
            for subject, (reply, _) in zip(subjects, asked, strict=True)
        ]
        client.send(b"".join(questions))
        # It says that there is nobody before it answers what was sent after the question.
        await client.round_trip(seconds)
        return {
            subject
            for subject, (_, answer) in zip(subjects, asked, strict=True)
            if answer.done() and headers_of(answer.result()).get("Status") == NO_RESPONDERS
        }
