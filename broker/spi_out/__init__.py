"""What outbound adapters that go by mail share: the relay, the outside of a message, reports that come back.

An adapter may import this beside `broker.spi`. Nothing here knows a case.
"""

from broker.spi_out.message import address_issues, outside
from broker.spi_out.relay import hand_over
from broker.spi_out.reports import read as read_report

__all__ = ["address_issues", "hand_over", "outside", "read_report"]
