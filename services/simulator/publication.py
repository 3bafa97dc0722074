"""One message of an exchange on its way to whoever is subscribed: what it says, and how each subscriber is told."""

from collections.abc import Hashable
from typing import Protocol

Key = tuple[str, str, str]
"""(exchange, channel, symbol) as in the truth log."""

Variant = Hashable
"""How a subscriber wants to be told: format, number of levels, stream name. Known to the exchange's encoder only."""


class Publication(Protocol):
    """Made once a message; `payload` is asked once a variant that anybody hears."""

    @property
    def key(self) -> Key:
        """Which exchange, channel and symbol."""

    def payload(self, variant: Variant) -> bytes:
        """The message's bytes for this kind of subscriber."""

    def truth(self, depth: int) -> str:
        """The truth log's fields of this channel, as the inside of a JSON object; books cut to `depth` levels."""
