"""How is a mail of a flow sent? Through the site's SMTP server, by Django."""

import asyncio
import smtplib
import time

from django.core.mail import EmailMessage

from workflows.engine.effects import Mail, Reply


class MailConnector:
    """Performs `Mail`s in threads. The idempotency key travels as the Message-ID."""

    async def open(self) -> None:
        """Nothing to open: a connection is made for each message."""

    async def close(self) -> None:
        """Nothing to close."""

    async def perform(self, effect: Mail, key: str) -> Reply:
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(effect.timeout_seconds):
                await asyncio.to_thread(_send, effect, key)
        except TimeoutError:
            return Reply(ok=False, error="timeout", message="The mail server did not answer.")
        except smtplib.SMTPRecipientsRefused as problem:
            return Reply(ok=False, error="invalid", message=f"Recipients refused: {problem}")
        except (smtplib.SMTPException, OSError) as problem:
            return Reply(
                ok=False,
                error="connection",
                message=f"The mail server cannot be used: {problem}. See EVENTFLOW_SMTP_HOST.",
            )
        except ValueError as problem:  # a line break in a header
            return Reply(ok=False, error="invalid", message=f"Cannot be sent: {problem}")
        return Reply(ok=True, status=250, took_ms=(time.perf_counter() - begun) * 1000)


def _send(effect: Mail, key: str) -> None:
    EmailMessage(
        effect.subject,
        effect.body,
        to=effect.to,
        headers={"Message-ID": f"<{key}@eventflow>"},
    ).send()
