"""Who this adapter is, for the list and for both of its halves."""

from __future__ import annotations

from adapters.ncmec.plan import NEEDS
from adapters.ncmec.schema import SCHEMA
from broker.spi import AdapterInfo

INFO = AdapterInfo(
    name="ncmec",
    title="NCMEC CyberTipline report",
    speaks=f"CyberTipline Reporting API, schema of {SCHEMA.stamp}",
    version=f"1+schema.{SCHEMA.stamp}",
    tried_live=False,
    needs=NEEDS,
    media_types=("text/xml", "text/plain"),
)
