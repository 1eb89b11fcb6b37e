"""Email by SMTP."""

from email.message import EmailMessage
from html import escape
from urllib.parse import SplitResult, unquote, urlsplit

import aiosmtplib

from rota_notifier.domain import Letter, content_text
from rota_notifier.errors import TransportError

RESULT_CHARACTERS = 1_000
TIMEOUT_SECONDS = 20
OUTCOMES = frozenset({"success", "error"})
DEFAULT_PORTS = {"smtp": 587, "smtps": 465}


class EmailSender:
    """Sends through one SMTP server, e.g. smtp://user:password@mail.example.org:587."""

    def __init__(self, url: str, sender: str) -> None:
        """Raises ValueError when the URL is none of smtp:// or smtps:// with a host."""
        self._server = _checked(urlsplit(url))
        self._sender = sender

    async def send(self, letter: Letter) -> None:
        server = self._server
        try:
            await aiosmtplib.send(
                compose(letter, sender=self._sender),
                hostname=server.hostname,
                port=server.port or DEFAULT_PORTS[server.scheme],
                username=unquote(server.username) if server.username else None,
                password=unquote(server.password) if server.password else None,
                use_tls=server.scheme == "smtps",
                timeout=TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refusals = error.recipients
            raise TransportError(
                "; ".join(f"{refusal.recipient}: {refusal.code} {refusal.message}" for refusal in refusals),
                permanent=all(refusal.code >= 500 for refusal in refusals),
            ) from error
        except aiosmtplib.SMTPResponseException as error:
            raise TransportError(f"{error.code} {error.message}", permanent=error.code >= 500) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise TransportError(
                f"{type(error).__name__}: {error}", permanent=isinstance(error, ValueError)
            ) from error


def _checked(url: SplitResult) -> SplitResult:
    if url.scheme not in DEFAULT_PORTS or not url.hostname:
        raise ValueError("NOTIFIER_SMTP_URL must look like smtp://user:password@host:587")
    return url


def compose(letter: Letter, *, sender: str) -> EmailMessage:
    """The message about a run, as text and as HTML; sent twice it has the same Message-ID."""
    message = EmailMessage()
    message["Subject"] = _one_line(f"[Scheduler] {_subject(letter)}")
    message["From"] = sender
    message["To"] = letter.target
    message["Message-ID"] = f"<{letter.notification_id}@{sender.rpartition('@')[2] or 'rota'}>"
    message["Auto-Submitted"] = "auto-generated"
    facts = _facts(letter)
    result = _result(letter)
    lines = [f"{name}: {value}" for name, value in facts.items()]
    message.set_content("\n".join([*lines, "", result]))
    message.add_alternative(_html(facts, result), subtype="html")
    return message


def _facts(letter: Letter) -> dict[str, str]:
    if letter.event is None:
        return {"Job": letter.job_name}
    return {
        "Job": letter.event.job_name,
        "Status": letter.event.status,
        "Cron": letter.event.cron_expression,
        "Duration": f"{letter.event.execution_duration_ms / 1000:.1f} s",
    }


def _subject(letter: Letter) -> str:
    if letter.event is None or letter.category not in OUTCOMES:
        return letter.title
    return f"{letter.event.job_name} {'failed' if letter.category == 'error' else 'completed successfully'}"


def _result(letter: Letter) -> str:
    if letter.event is None or letter.category not in OUTCOMES:
        return letter.body
    return (content_text(letter.event) or letter.event.error_message or "")[:RESULT_CHARACTERS]


def _html(facts: dict[str, str], result: str) -> str:
    rows = "".join(
        f"<tr><th align=left>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    return f"<table>{rows}</table><pre style='white-space: pre-wrap'>{escape(result)}</pre>"


def _one_line(text: str) -> str:
    return " ".join(text.split())
