"""What ingest adapters share beside `broker.spi`: hostile bytes to JSON or rows, and saved mappings.

Everything here refuses by field and rule and never repeats a value. An adapter names itself in
`source`; its refusals then carry the code `<source>-refused`.
"""

from broker.spi_in.convert import Column, Target, convert
from broker.spi_in.csv_reading import ENCODINGS, decode
from broker.spi_in.json_reading import Bounds, Number, read_json
from broker.spi_in.mapping import TableMapping, read_mapping, zone_or_none
from broker.spi_in.members import Members
from broker.spi_in.refusal import Fault, Refuse
from broker.spi_in.rows import Table, TableRow, read_table
from broker.spi_in.screen import safe_name, screen_text

__all__ = [
    "ENCODINGS",
    "Bounds",
    "Column",
    "Fault",
    "Members",
    "Number",
    "Refuse",
    "Table",
    "TableMapping",
    "TableRow",
    "Target",
    "convert",
    "decode",
    "read_json",
    "read_mapping",
    "read_table",
    "safe_name",
    "screen_text",
    "zone_or_none",
]
