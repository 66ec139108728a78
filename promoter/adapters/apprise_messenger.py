"""Messages to people by Apprise, which knows a hundred services. Addresses are secrets: none is shown or logged."""

from __future__ import annotations

import logging
from pathlib import Path

import apprise

from promoter.domain.notice import Route, Severity
from promoter.errors import MessageFailed
from promoter.token_file import NoToken, read_token

_KINDS = {
    Severity.INFO: apprise.NotifyType.INFO,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.FAILURE: apprise.NotifyType.FAILURE,
}


class AppriseMessenger:
    """`promoter.ports.Messenger`. Each address is read from its file when it is used, so it can be replaced."""

    def __init__(self) -> None:
        # Both log addresses, or the paths in them.
        for name in ("apprise", "urllib3"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)

    def send(self, route: Route, title: str, text: str, severity: Severity) -> None:
        try:
            address = read_token(Path(route.url_file))
        except NoToken as error:
            raise MessageFailed(f"route {route.name}: {error}") from error
        target = apprise.Apprise()
        if not target.add(address):
            raise MessageFailed(f"route {route.name}: {route.url_file} holds no address that Apprise understands")
        try:
            sent = bool(target.notify(body=text, title=title, notify_type=_KINDS[severity]))
        except Exception:  # noqa: BLE001 - a hundred plugins may raise what they like, with the address in it
            sent = False
        if not sent:
            # Without a cause: whatever is known of it may quote the address.
            raise MessageFailed(f"route {route.name}: its target did not take the message") from None
