"""All books of the service: whoever reads them finds the money and the requests in one place."""

from fake_llm.books.meter import Meter
from fake_llm.books.requests import Requests
from fake_llm.visit import Visit


class Books:
    """What is known of every request.

    Attributes:
        meter: Charges: ledger, journal, duplicates.
        requests: How requests ended.
    """

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.requests = Requests()
        self._readers = (self.requests,)

    def ended(self, visit: Visit) -> None:
        """Tell every book that counts requests of one that has ended; once for each."""
        for reader in self._readers:
            reader.take(visit)

    def reset(self) -> None:
        """Forget everything; a call in flight is charged to the new ledger."""
        self.meter.reset()
        for reader in self._readers:
            reader.clear()
