"""A proxy before Kafka that can also say no in its stead."""

from tests.faults.kafka_refusals import Conversation, Refusal
from tests.faults.tcp_proxy import TcpProxy, Through


class KafkaProxy(TcpProxy):
    """A plain wire, until `refusal` is set. `refused` counts the requests that were answered with an error."""

    def __init__(self, target: int, port: int = 0) -> None:
        super().__init__(target, port)
        self.refusal: Refusal | None = None
        self.refused = 0

    def _conversation(self) -> tuple[Through, Through]:
        talk = Conversation(lambda: self.refusal, self._draw, self._count)
        return talk.request, talk.answer

    def _count(self) -> None:
        self.refused += 1
