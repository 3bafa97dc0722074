"""The exchanges that the producer knows; a new one is a file beside these and a row here."""

from collections.abc import Mapping

from services.producer.exchanges.base import AdapterFactory
from services.producer.exchanges.binance import Binance
from services.producer.exchanges.upbit import Upbit

ADAPTERS: Mapping[str, AdapterFactory] = {"upbit": Upbit, "binance": Binance}
