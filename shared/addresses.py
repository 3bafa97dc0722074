"""Whether a text can be an address at all, so that one that is mistyped is told at once and not dialled for ever. Pure.

What is raised never repeats the text: it may be a secret.
"""

import ipaddress
from urllib.parse import SplitResult, urlsplit


def server_list(text: str) -> str:
    """``host:port`` of one server or of several, joined by commas; without a port Kafka's own counts.

    Raises ValueError.
    """
    for number, server in enumerate(text.split(","), 1):
        if not _is_server(server.strip()):
            raise ValueError(f"server {number} is not an address: write host:port, several joined by commas")
    return text


def http_url(text: str) -> str:
    """``http://`` or ``https://``. Raises ValueError."""
    return _url(text, "http", "https")


def websocket_url(text: str) -> str:
    """``ws://`` or ``wss://``. Raises ValueError."""
    return _url(text, "ws", "wss")


def _url(text: str, *schemes: str) -> str:
    parts = _split(text)
    if parts is None or parts.scheme not in schemes or parts.fragment:
        raise ValueError(f"is not an address: write {schemes[1]}://host/path or {schemes[0]}://host:port/path")
    return text


def _is_server(text: str) -> bool:
    if text.count(":") > 1 and not text.startswith("["):
        return _is_ip(text)
    parts = _split(f"kafka://{text}")
    return parts is not None and parts.netloc == text and "@" not in text


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _split(text: str) -> SplitResult | None:
    """None where there is no host, or a port that none can have."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    is_one = parts.hostname and port != 0 and not any(sign.isspace() for sign in text)
    return parts if is_one else None
