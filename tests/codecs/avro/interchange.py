"""The other side of interchange_test.ts: reads and writes Avro with fastavro. Lines of hex in, lines out."""

import json
import sys
from datetime import date, datetime, timezone

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from io import BytesIO

ORDERS = [
    {
        "id": 2**63 - 1,
        "customer": "Zoë 🏆",
        "status": "PAID",
        "lines": [
            {"sku": "a", "count": -3, "price": 0.1, "weight": 0.5, "gift": True},
            {"sku": "", "count": 1, "price": float("-inf"), "weight": -2.0, "gift": False},
        ],
        "stock": {"x": -(2**63), "y": 2**53 + 1, "constructor": 0},
        "labels": {"l": ["NEW", "SHIPPED"], "": []},
        "digest": b"\x00\x01\xfe\xff",
        "blob": b"",
        "note": {"sku": "n", "count": 2, "price": 1.0, "weight": 1.0, "gift": False},
        "day": date(1969, 12, 31),
        "createdMs": datetime(2026, 11, 21, 1, 2, 3, 4000, tzinfo=timezone.utc),
        "createdUs": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc),
        "shipped": datetime(2026, 11, 22, tzinfo=timezone.utc),
        "previous": None,
        "source": "shop",
    },
    {
        "id": -1,
        "customer": None,
        "status": "NEW",
        "lines": [],
        "stock": {},
        "labels": {},
        "digest": b"abcd",
        "blob": b"\xff" * 300,
        "note": [1, -2, 3],
        "day": date(2026, 11, 21),
        "createdMs": datetime(1970, 1, 1, tzinfo=timezone.utc),
        "createdUs": datetime(1970, 1, 1, tzinfo=timezone.utc),
        "shipped": None,
        "previous": None,
        "source": "web",
    },
]
ORDERS[1]["previous"] = dict(ORDERS[0])


def decode(line, schema, reader_schema=None):
    stream = BytesIO(bytes.fromhex(line))
    value = schemaless_reader(stream, schema, reader_schema)
    assert stream.read() == b"", "bytes are left over"
    return value


def encode(value, schema):
    stream = BytesIO()
    schemaless_writer(stream, schema, value)
    return stream.getvalue().hex()


def main(mode, schema_path, reader_schema=None):
    with open(schema_path) as file:
        schema = parse_schema(json.load(file))
    if mode == "write":
        for order in ORDERS:
            print(encode(order, schema))
        # What is missing takes its default.
        partial = {key: ORDERS[1][key] for key in ORDERS[1] if key not in ("customer", "previous", "source")}
        print(encode(partial, schema))
        return
    lines = [line.strip() for line in sys.stdin]
    if mode == "check":
        values = [decode(line, schema) for line in lines]
        assert values == ORDERS, f"{values} is not {ORDERS}"
        print("same")
    elif mode == "echo":
        for line in lines:
            print(encode(decode(line, schema), schema))
    elif mode == "resolve":
        for line in lines:
            print(json.dumps(decode(line, schema, parse_schema(json.loads(reader_schema)))))


main(*sys.argv[1:])
