"""Records what fastavro makes of the defaults, aliases and promotions of Avro's specification, in resolution.json.

Run it again after a change: python -m venv /tmp/v && /tmp/v/bin/pip install fastavro==1.13.1
/tmp/v/bin/python tests/codecs/avro/resolution.py > tests/codecs/avro/resolution.json; deno fmt tests/codecs/avro
"""

import json
from io import BytesIO

from fastavro import parse_schema, schemaless_reader, schemaless_writer


def record(*fields, **more):
    return {"type": "record", "name": "R", "fields": list(fields), **more}


def field(name, type, **more):
    return {"name": name, "type": type, **more}


NOTHING = record()
INNER = {"type": "record", "name": "Inner", "fields": [field("a", "int"), field("b", "string", default="x")]}
SUIT = {"type": "enum", "name": "Suit", "symbols": ["HEARTS", "SPADES"]}
TWO = {"type": "fixed", "name": "Two", "size": 2}

# A default of each type, also of every branch of a union (Avro 1.12).
DEFAULTS = [
    ("null", None),
    ("boolean", True),
    ("int", -(2**31)),
    ("long", 2**53 + 1),
    ("long", 2**63 - 1),
    ("long", -(2**63)),
    ("float", 1.5),
    ("float", 3),
    ("double", 0.1),
    ("double", 7),
    ("string", "Zoë 🏆"),
    ("bytes", "\u0000\u007f\u0080\u00ff"),
    (TWO, "\u00ff\u0000"),
    (SUIT, "SPADES"),
    ({"type": "array", "items": "long"}, [1, 2**53 + 1]),
    ({"type": "array", "items": ["null", "long"]}, []),
    ({"type": "map", "values": "long"}, {"x": 2**62, "": -1}),
    (INNER, {"a": 1, "b": "y"}),
    (["null", "long"], None),
    (["long", "null"], 2**60 + 1),
    (["null", "long"], 2**60 + 1),
    (["null", "string"], "text"),
    (["null", "boolean", "string"], True),
    (["null", {"type": "array", "items": "long"}], [2**53 + 1]),
    (["null", {"type": "map", "values": "string"}], {"k": "v"}),
    (["null", INNER], {"a": 1, "b": "y"}),
    (["int", "string"], "second"),
    ([SUIT, "null"], "HEARTS"),
    (["null", SUIT], "HEARTS"),
]

# Writer's schema, value, reader's schema.
PROMOTIONS = [
    ("int", 7, "long"),
    ("int", 2**31 - 1, "float"),
    ("int", -7, "double"),
    ("long", 2**40, "float"),
    ("long", 2**53 - 1, "double"),
    ("float", 1.5, "double"),
    ("string", "Zoë", "bytes"),
    ("bytes", b"abc", "string"),
    ("int", 7, ["null", "long"]),
    ("int", 7, ["null", "string", "double"]),
    (["null", "int"], 7, ["null", "long"]),
    (["null", "int"], None, ["null", "long"]),
    (["int", "long"], 7, "double"),
    ({"type": "array", "items": "int"}, [1, -2], {"type": "array", "items": "double"}),
    ({"type": "map", "values": "float"}, {"a": 0.5}, {"type": "map", "values": "double"}),
    (record(field("a", "int")), {"a": 3}, record(field("a", "long"))),
    (SUIT, "SPADES", {**SUIT, "symbols": ["SPADES", "HEARTS"]}),
    (SUIT, "SPADES", {**SUIT, "symbols": ["HEARTS", "OTHER"], "default": "OTHER"}),
]

# Names that have changed: of fields, records, enums and fixed, nested and within unions.
ALIASES = [
    (record(field("a", "int"), field("b", "string")), {"a": 1, "b": "x"},
     record(field("c", "string", aliases=["b"]), field("d", "int", aliases=["z", "a"]))),
    ({**record(field("a", "int")), "name": "Old"}, {"a": 1}, record(field("a", "int"), aliases=["Old"])),
    (record(field("i", {**INNER, "name": "Old"})), {"i": {"a": 1, "b": "z"}},
     record(field("i", {**INNER, "aliases": ["Old"]}))),
    (record(field("s", {**SUIT, "name": "Old"})), {"s": "SPADES"}, record(field("s", {**SUIT, "aliases": ["Old"]}))),
    (record(field("f", {**TWO, "name": "Old"})), {"f": b"ab"}, record(field("f", {**TWO, "aliases": ["Old"]}))),
    (record(field("u", ["null", {**INNER, "name": "Old"}])), {"u": {"a": 1, "b": "z"}},
     record(field("u", ["null", {**INNER, "aliases": ["Old"]}]))),
    (record(field("a", "int")), {"a": 1}, record(field("b", "long", aliases=["a"], default=5))),
]


def plain(value):
    """As JSON can hold it: bytes as their hex digits."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def encode(schema, value):
    stream = BytesIO()
    schemaless_writer(stream, parse_schema(schema), value)
    return stream.getvalue()


def resolve(data, schema, reader):
    return plain(schemaless_reader(BytesIO(data), parse_schema(schema), parse_schema(reader)))


def case(kind, schema, value, reader):
    data = encode(schema, value)
    return {
        "kind": kind,
        "schema": json.dumps(schema),
        "value": plain(value),
        "bytes": data.hex(),
        "readerSchema": json.dumps(reader),
        "resolved": resolve(data, schema, reader),
    }


cases = []
for type, default in DEFAULTS:
    schema = record(field("f", type, default=default))
    # fastavro leaves the defaults of bytes as text; the specification says which bytes they are.
    value = default.encode("latin-1") if type in ("bytes", TWO) else default
    written = encode(schema, {"f": value} if type in ("bytes", TWO) else {})
    cases.append({
        "kind": "default",
        "schema": json.dumps(schema),
        "bytes": written.hex(),
        "resolved": {"f": plain(value)},
    })
    assert type in ("bytes", TWO) or resolve(b"", NOTHING, schema) == {"f": default}
for kind, group in (("promotion", PROMOTIONS), ("alias", ALIASES)):
    cases += [case(kind, *each) for each in group]
print("[\n" + ",\n".join("  " + json.dumps(each) for each in cases) + "\n]")
