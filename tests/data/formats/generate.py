"""Writes the ORC and Avro files of this folder: pip install pyarrow fastavro cramjam backports.zstd; python generate.py"""

import datetime as dt
import decimal
import random
import uuid

import fastavro
import pyarrow as pa
import pyarrow.orc as orc

D = decimal.Decimal
UTC = dt.timezone.utc


def orc_types():
    schema = pa.schema(
        [
            ("b", pa.bool_()),
            ("i8", pa.int8()),
            ("i16", pa.int16()),
            ("i32", pa.int32()),
            ("i64", pa.int64()),
            ("f32", pa.float32()),
            ("f64", pa.float64()),
            ("s", pa.string()),
            ("bin", pa.binary()),
            ("dec", pa.decimal128(10, 2)),
            ("big", pa.decimal128(38, 10)),
            ("d", pa.date32()),
            ("ts", pa.timestamp("ns")),
            ("list", pa.list_(pa.int32())),
            ("map", pa.map_(pa.string(), pa.int64())),
            ("st", pa.struct([("x", pa.int32()), ("T", pa.string()), ("at", pa.timestamp("ns"))])),
            ("ls", pa.list_(pa.struct([("k", pa.string())]))),
            # Outside of what nanoseconds in 64 bits can say.
            ("far", pa.timestamp("us")),
        ]
    )
    ns = lambda text: None if text is None else pa.scalar(text).cast(pa.timestamp("ns")).value
    rows = {
        "b": [True, False, None, True],
        "i8": [-128, 127, None, 0],
        "i16": [-32768, 32767, None, 0],
        "i32": [-(2**31), 2**31 - 1, None, 0],
        "i64": [-(2**63), 2**63 - 1, None, 0],
        "f32": [1.5, -0.25, None, float("nan")],
        "f64": [1e300, -1e-300, None, float("inf")],
        "s": ["", "zażółć", None, "a'b"],
        "bin": [b"", b"\x00\xff", None, b"abc"],
        "dec": [D("12345678.90"), D("-0.01"), None, D("0.00")],
        "big": [D("1234567890123456789012345678.0123456789"), D("-1.0000000001"), None, D("0")],
        "d": [dt.date(1969, 12, 31), dt.date(2024, 2, 29), None, dt.date(9999, 12, 31)],
        "ts": [ns("1969-12-31 23:59:58"), ns("2024-02-29 12:34:56.123456789"), None, ns("1700-01-01 00:00:00")],
        "list": [[1, None, 3], [], None, [4]],
        "map": [[("a", 1), ("b", None)], [], None, [("c", 3)]],
        "st": [{"x": 1, "T": "one", "at": ns("2000-01-01 00:00:00")}, {"x": None, "T": None, "at": None}, None,
               {"x": 4, "T": "four", "at": ns("1999-12-31 23:59:59.999999")}],
        "ls": [[{"k": "p"}, None], [], None, [{"k": None}]],
        "far": [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None, dt.datetime(1969, 12, 31, 23, 59, 59)],
    }
    return pa.table(rows, schema=schema)


def orc_stripes(rows):
    ids = list(range(rows))
    start = dt.datetime(2020, 1, 1)
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "name": pa.array([f"n{i:05}" for i in ids]),
            "half": pa.array([i / 2 for i in ids], pa.float64()),
            "odd": pa.array([float("nan") if i == 10 else i / 4 for i in ids], pa.float64()),
            "price": pa.array([D(i) / 100 for i in ids], pa.decimal128(9, 2)),
            "day": pa.array([dt.date(2020, 1, 1) + dt.timedelta(days=i // 10) for i in ids]),
            "ts": pa.array([start + dt.timedelta(minutes=i) for i in ids], pa.timestamp("us")),
            "flag": pa.array([i >= rows // 2 for i in ids]),
            "sparse": pa.array([i if i < 800 else None for i in ids], pa.int32()),
            "kind": pa.array([["red", "green", "blue"][i % 3] for i in ids]),
        }
    )


def orc_random(rows):
    rng = random.Random(7)
    maybe = lambda value: None if rng.random() < 0.2 else value
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int32()),
            "b": pa.array([maybe(rng.random() < 0.5) for _ in range(rows)]),
            "i8": pa.array([maybe(rng.randrange(-9, 9)) for _ in range(rows)], pa.int8()),
            "i64": pa.array([maybe(rng.choice([3, 3, 3, rng.randrange(-(2**40), 2**40)])) for _ in range(rows)], pa.int64()),
            "f": pa.array([maybe(rng.randrange(64) / 8) for _ in range(rows)], pa.float32()),
            "s": pa.array([maybe("x" * rng.randrange(4)) for _ in range(rows)]),
            "u": pa.array([maybe(f"{rng.randrange(999)}") for _ in range(rows)]),
            "dec": pa.array([maybe(D(rng.randrange(-999, 999)) / 100) for _ in range(rows)], pa.decimal128(20, 2)),
            "ts": pa.array([maybe(dt.datetime(1960 + rng.randrange(80), 1, 1, 1, 1, 1)) for _ in range(rows)], pa.timestamp("us")),
            "l": pa.array([maybe([maybe(rng.randrange(9)) for _ in range(rng.randrange(3))]) for _ in range(rows)], pa.list_(pa.int32())),
            "st": pa.array([maybe({"x": maybe(rng.randrange(9)), "y": maybe("y")}) for _ in range(rows)],
                           pa.struct([("x", pa.int32()), ("y", pa.string())])),
        }
    )


def orc_files():
    orc.write_table(orc_types(), "orc/types.orc", compression="uncompressed")
    orc.write_table(orc_stripes(3200), "orc/stripes.orc", compression="zstd", stripe_size=1024, row_index_stride=200,
                    batch_size=800, dictionary_key_size_threshold=0.5)
    orc.write_table(orc_random(900), "orc/random.orc", compression="zlib", row_index_stride=100,
                    dictionary_key_size_threshold=0.9)
    negative = pa.table({"id": pa.array([1, 2], pa.int32()), "ts": pa.array([dt.datetime(1960, 1, 1, 0, 0, 0, 500000), None], pa.timestamp("us"))})
    orc.write_table(negative, "orc/negative.orc")
    names = pa.table({"UserId": pa.array([1, 2], pa.int32()), "Name": ["ann", "bob"], "Score": pa.array([1.5, 2.5], pa.float32())})
    orc.write_table(names, "orc/names.orc")
    orc.write_table(names.rename_columns(["_col0", "_col1", "_col2"]), "orc/hive1.orc")
    for codec in ["uncompressed", "zlib", "snappy", "lz4", "zstd"]:
        orc.write_table(orc_stripes(300), f"orc/codec_{codec}.orc", compression=codec)


AVRO = {
    "type": "record",
    "name": "Row",
    "namespace": "t",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "Flag", "type": ["null", "boolean"], "default": None},
        {"name": "i", "type": ["int", "null"]},
        {"name": "f", "type": "float"},
        {"name": "d", "type": ["null", "double"]},
        {"name": "s", "type": ["null", "string"]},
        {"name": "raw", "type": "bytes"},
        {"name": "fx", "type": {"type": "fixed", "name": "Four", "size": 4}},
        {"name": "suit", "type": {"type": "enum", "name": "Suit", "symbols": ["SPADES", "HEARTS"]}},
        {"name": "dec", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}]},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "us", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "uid", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "tags", "type": ["null", {"type": "array", "items": ["null", "string"]}]},
        {"name": "props", "type": {"type": "map", "values": "int"}},
        {"name": "pt", "type": ["null", {"type": "record", "name": "Pt", "fields": [
            {"name": "X", "type": "int"}, {"name": "label", "type": ["null", "string"]}]}]},
    ],
}


def avro_rows():
    at = dt.datetime(2024, 2, 29, 12, 34, 56, 123456, tzinfo=UTC)
    one = {
        "id": 1, "Flag": True, "i": 7, "f": 1.5, "d": 2.5, "s": "zażółć", "raw": b"\x00\xff", "fx": b"abcd", "suit": "HEARTS",
        "dec": D("-12.34"), "day": dt.date(2024, 2, 29), "ms": at, "us": at, "local": at.replace(tzinfo=None),
        "uid": uuid.UUID("01234567-89ab-cdef-0123-456789abcdef"), "tags": ["a", None], "props": {"k": 1}, "pt": {"X": 3, "label": "p"},
    }
    two = one | {"id": 2, "Flag": None, "i": None, "d": None, "s": None, "suit": "SPADES", "dec": None, "us": None, "tags": None,
                 "props": {}, "pt": None, "raw": b""}
    return [one, two]


VALUES = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "Text", "type": ["null", "string"]},
        {"name": "number", "type": ["null", "string"]},
        {"name": "day", "type": ["null", "string"]},
        {"name": "at", "type": ["null", "long"]},
        {"name": "moment", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "raw", "type": "bytes"},
        {"name": "items", "type": ["null", {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
            {"name": "name", "type": "string"}, {"name": "size", "type": "int"}]}}]},
        {"name": "props", "type": {"type": "map", "values": "string"}},
    ],
}


def avro_values():
    moment = dt.datetime(2024, 2, 29, 12, 34, 56, 123000, tzinfo=UTC)
    items = [{"name": "a", "size": 1}, {"name": "b \"c\"", "size": 2}]
    rows = [
        (" padded ", "12.345", "31.12.2024", 1048895105250, b"abc", items, {"k": "v"}),
        ("", "", "", None, b"\xffA", [], {}),
        ("   ", "x", "00.00.0000", 0, b"", items, {"other": "v"}),
        ("NONE", "7", "29.02.2024", -1, b"\x00\x0a", items[:1], {"k": ""}),
        ("too long for it", "-7.5", "01.01.0001", 1, b"abc", None, {"k": "v"}),
        (None, None, None, None, b"", None, {}),
    ]
    names = ["Text", "number", "day", "at", "raw", "items", "props"]
    return [{"id": at, "moment": moment} | dict(zip(names, row)) for at, row in enumerate(rows, 1)]


POINT = {"type": "record", "name": "Point", "fields": [
    {"name": "x", "type": "int"}, {"name": "tags", "type": {"type": "array", "items": "int"}}]}
INNER = {"type": "record", "name": "Inner", "fields": [
    {"name": "y", "type": "int"}, {"name": "items", "type": ["null", {"type": "array", "items": "int"}]}]}
UNIONS = {
    "type": "record",
    "name": "Unions",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "nothing", "type": "null"},
        {"name": "suit", "type": {"type": "enum", "name": "Card", "symbols": ["SPADES", "HEARTS"]}},
        {"name": "maybe", "type": ["null", "Card"]},
        {"name": "anything", "type": ["null", "int", "string", "Card", "boolean"]},
        {"name": "place", "type": ["null", "string", POINT]},
        {"name": "deep", "type": ["null", {"type": "record", "name": "Deep", "fields": [{"name": "inner", "type": ["null", INNER]}]}]},
        {"name": "odd", "type": {"type": "record", "name": "Odd", "fields": [
            {"name": "v", "type": ["int", "string"]}, {"name": "k", "type": "string"}]}},
        {"name": "far", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ],
}


def avro_unions():
    inner = lambda y, items: {"inner": {"y": y, "items": items}}
    rows = [
        ("HEARTS", None, 7, {"x": 1, "tags": [10, 20]}, inner(5, [1]), {"v": 1, "k": "12"}, 0),
        ("SPADES", "HEARTS", "text", "elsewhere", {"inner": None}, {"v": "s", "k": "x"}, 1),
        ("SPADES", "SPADES", None, None, None, {"v": 2, "k": "7"}, 2**63 - 1),
        ("HEARTS", None, ("Card", "HEARTS"), {"x": 4, "tags": []}, inner(6, None), {"v": 3, "k": "8"}, 3),
        ("HEARTS", None, True, {"x": 5, "tags": [50]}, inner(7, [2, 3]), {"v": "t", "k": "9"}, 4),
    ]
    names = ["suit", "maybe", "anything", "place", "deep", "odd", "far"]
    return [{"id": at, "nothing": None} | dict(zip(names, row)) for at, row in enumerate(rows, 1)]


def avro_files():
    with open("avro/unions.avro", "wb") as out:
        fastavro.writer(out, UNIONS, avro_unions())
    with open("avro/values.avro", "wb") as out:
        fastavro.writer(out, VALUES, avro_values())
    with open("avro/types.avro", "wb") as out:
        fastavro.writer(out, AVRO, avro_rows())
    simple = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "int"}, {"name": "name", "type": "string"}]}
    rows = [{"id": i, "name": f"name {i}"} for i in range(600)]
    with open("avro/blocks.avro", "wb") as out:
        fastavro.writer(out, simple, rows, sync_interval=200)
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]:
        with open(f"avro/codec_{codec}.avro", "wb") as out:
            fastavro.writer(out, simple, rows, codec=codec, sync_interval=4000)
    union = {"type": "record", "name": "u", "fields": [{"name": "id", "type": "int"}, {"name": "v", "type": ["int", "string"]}]}
    with open("avro/union.avro", "wb") as out:
        fastavro.writer(out, union, [{"id": 1, "v": 2}, {"id": 2, "v": "x"}])


if __name__ == "__main__":
    orc_files()
    avro_files()
