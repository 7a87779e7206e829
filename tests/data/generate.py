"""Writes the files of this folder with programs that are not ours: pyarrow (Parquet, ORC, codecs), fastavro, gzip.

Run it in the folder: python generate.py. The scripts in tests/sql know the values; a new file gets its rows here.
"""
import bz2, datetime as dt, decimal, gzip, io, json, os, struct, zipfile, zlib
import fastavro, pyarrow as pa, pyarrow.orc as orc, pyarrow.parquet as pq

D = decimal.Decimal


def path(name):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    return name


def text(name, content):
    with open(path(name), "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())


def gz(name, content):
    text(name, gzip.compress(content.encode() if isinstance(content, str) else content, mtime=0))


def parquet(name, table, **options):
    pq.write_table(table, path(name), **options)


def write_orc(name, table, **options):
    orc.write_table(table, path(name), **options)


def avro(name, schema, rows, codec="null"):
    with open(path(name), "wb") as f:
        fastavro.writer(f, fastavro.parse_schema(schema), rows, codec=codec, sync_marker=b"millracemillrace")


# Schema evolution: the same table written in 2021, 2022 and 2023.
V1 = pa.table({"id": pa.array([1, 2], pa.int32()), "name": ["ann", "bob"], "score": pa.array([1.5, 2.5], pa.float32())})
V2 = pa.table({"name": ["cid"], "extra": ["x"], "id": pa.array([3_000_000_000], pa.int64()),
               "score": pa.array([3.25], pa.float64()), "price": pa.array([D("9.99")], pa.decimal128(5, 2))})
V3 = pa.table({"ID": pa.array([4], pa.int16()), "Price": pa.array([D("123456.78")], pa.decimal128(10, 2))})
for i, table in enumerate([V1, V2, V3]):
    parquet(f"evolution/parquet/{2021 + i}.parquet", table)
    write_orc(f"evolution/orc/{2021 + i}.orc", table)
text("evolution/csv/2021.csv", "1,ann\n2,bob\n")
text("evolution/csv/2022.csv", "3,cid,9.5\n")
text("evolution/csv/2023.csv", "4,dee,1.25,beyond\n")
text("evolution/json/2021.json", '{"id": 1, "name": "ann"}\n{"id": 2}\n')
text("evolution/json/2022.json", '{"name": "cid", "price": 9.5, "id": 3, "unknown": [1, 2]}\n')
avro("evolution/avro/2021.avro", {"type": "record", "name": "r", "fields": [
    {"name": "id", "type": "int"}, {"name": "name", "type": ["null", "string"]}]},
    [{"id": 1, "name": "ann"}, {"id": 2, "name": None}])
avro("evolution/avro/2022.avro", {"type": "record", "name": "r", "fields": [
    {"name": "name", "type": "string"}, {"name": "price", "type": "double"}, {"name": "id", "type": "long"}]},
    [{"id": 3, "name": "cid", "price": 9.5}], codec="deflate")

# Every type, one full row and one of NULLs.
STRUCT = pa.struct([("a", pa.int32()), ("b", pa.string())])
TYPES = pa.table({
    "c_boolean": pa.array([True, None]), "c_tinyint": pa.array([-128, None], pa.int8()),
    "c_smallint": pa.array([32767, None], pa.int16()), "c_int": pa.array([-2147483648, None], pa.int32()),
    "c_bigint": pa.array([9223372036854775807, None], pa.int64()), "c_float": pa.array([1.5, None], pa.float32()),
    "c_double": pa.array([0.1, None], pa.float64()), "c_decimal": pa.array([D("-12345.67"), None], pa.decimal128(12, 2)),
    "c_string": pa.array(["grüße, \"welt\"", None]), "c_binary": pa.array([b"\x00\xff", None], pa.binary()),
    "c_date": pa.array([dt.date(2013, 1, 31), None]),
    "c_timestamp": pa.array([dt.datetime(2013, 1, 1, 5, 0, 0, 250000), None], pa.timestamp("us")),
    "c_array": pa.array([[1, None, 3], None], pa.list_(pa.int32())),
    "c_struct": pa.array([{"a": 1, "b": "x"}, None], STRUCT),
    "c_map": pa.array([[("k", 1), ("l", 2)], None], pa.map_(pa.string(), pa.int32())),
})
parquet("types/parquet/types.parquet", TYPES)
write_orc("types/orc/types.orc", TYPES)
parquet("types/int96/spark.snappy.parquet", TYPES.select(["c_int", "c_timestamp"]),
        use_deprecated_int96_timestamps=True)
NULLABLE = lambda t: ["null", t]
avro("types/avro/types.avro", {"type": "record", "name": "types", "fields": [
    {"name": "c_boolean", "type": NULLABLE("boolean")}, {"name": "c_int", "type": NULLABLE("int")},
    {"name": "c_bigint", "type": NULLABLE("long")}, {"name": "c_float", "type": NULLABLE("float")},
    {"name": "c_double", "type": NULLABLE("double")},
    {"name": "c_decimal", "type": NULLABLE({"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2})},
    {"name": "c_string", "type": NULLABLE("string")}, {"name": "c_binary", "type": NULLABLE("bytes")},
    {"name": "c_date", "type": NULLABLE({"type": "int", "logicalType": "date"})},
    {"name": "c_timestamp", "type": NULLABLE({"type": "long", "logicalType": "timestamp-millis"})},
    {"name": "c_array", "type": NULLABLE({"type": "array", "items": ["null", "int"]})},
    {"name": "c_struct", "type": NULLABLE({"type": "record", "name": "s", "fields": [
        {"name": "a", "type": "int"}, {"name": "b", "type": "string"}]})},
    {"name": "c_map", "type": NULLABLE({"type": "map", "values": "int"})}]}, [
        {"c_boolean": True, "c_int": -2147483648, "c_bigint": 9223372036854775807, "c_float": 1.5, "c_double": 0.1,
         "c_decimal": D("-12345.67"), "c_string": "grüße, \"welt\"", "c_binary": b"\x00\xff",
         "c_date": dt.date(2013, 1, 31),
         "c_timestamp": dt.datetime(2013, 1, 1, 5, 0, 0, 250000, tzinfo=dt.timezone.utc), "c_array": [1, None, 3],
         "c_struct": {"a": 1, "b": "x"}, "c_map": {"k": 1}}, {}], codec="snappy")
text("types/json/types.json",
     '{"c_boolean": true, "c_tinyint": -128, "c_bigint": 9223372036854775807, "c_double": 0.1, "c_decimal": -12345.67, '
     '"c_string": "grüße, \\"welt\\"", "c_date": "2013-01-31", "c_timestamp": "2013-01-01 05:00:00.25", '
     '"C_Array": [1, null, 3], "c_struct": {"a": 1, "B": "x"}, "c_map": {"k": 1}}\n'
     '{}\n')
text("types/csv/types.csv",
     "true,-128,9223372036854775807,0.1,-12345.67,text,2013-01-31,2013-01-01 05:00:00.25\n"
     "\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N\n")
text("types/delimited/nested.txt", "1\x01a\x02b\x02c\x01k\x031\x02l\x032\x015\x02five\n2\x01\\N\x01\\N\x01\\N\n")

# The same thousand rows under every codec: id, name, amount.
ROWS = [(i, f"name {i}", i / 4) for i in range(1000)]
CSV = "".join(f"{i},{n},{a}\n" for i, n, a in ROWS).encode()
JSON = "".join(json.dumps({"id": i, "name": n, "amount": a}) + "\n" for i, n, a in ROWS).encode()
NUMBERS = pa.table({"id": pa.array([r[0] for r in ROWS], pa.int64()), "name": [r[1] for r in ROWS],
                    "amount": [r[2] for r in ROWS]})


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as f:
        f.write(content)
    return sink.getvalue().to_pybytes()


def hadoop_snappy(content, block=8192):
    out = b""
    for at in range(0, len(content), block):
        part = content[at:at + block]
        packed = pa.compress(part, "snappy", asbytes=True)
        out += struct.pack(">I", len(part)) + struct.pack(">I", len(packed)) + packed
    return out


for kind, content in [("csv", CSV), ("json", JSON)]:
    text(f"codecs/{kind}/plain/rows.{kind}", content)
    gz(f"codecs/{kind}/gzip/rows.{kind}.gz", content)
    # Two gzip members in one file, as `cat a.gz b.gz` makes them.
    middle = content.index(b"\n", len(content) // 2) + 1
    text(f"codecs/{kind}/members/rows.{kind}.gz",
         gzip.compress(content[:middle], mtime=0) + gzip.compress(content[middle:], mtime=0))
    text(f"codecs/{kind}/bzip2/rows.{kind}.bz2", bz2.compress(content))
    text(f"codecs/{kind}/zstd/rows.{kind}.zst", zstd(content))
    text(f"codecs/{kind}/snappy/rows.{kind}.snappy", hadoop_snappy(content))
for codec in ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]:
    parquet(f"codecs/parquet/{codec}.parquet", NUMBERS, compression=codec)
for codec in ["uncompressed", "snappy", "zlib", "zstd", "lz4"]:
    write_orc(f"codecs/orc/{codec}.orc", NUMBERS, compression=codec)

# Text as people write it.
text("text/header/a.csv", "id,name\n1,ann\n2,bob\n")
text("text/header/b.csv", "id,name\n3,cid\n")
text("text/quoted/a.csv",
     'id,name,note\n"1","O\'Hara, ""Sam""","two\nlines"\n"2","","a,b"\n"3",plain,"last ""line"""')
text("text/escaped/a.csv", "1;one\\;half;\\N\n2;two;null\n")
text("text/custom/a.txt", "'1'|'it\\'s'|'a|b'\n'2'|'x'|'y'\n")
text("text/tabs/a.tsv", "1\tann\t\n2\t\\N\tNA\n")
text("text/crlf/a.csv", "1,ann\r\n2,bob\r\n")
text("text/blank/a.csv", "1,ann\n\n2,bob\n")
text("json/nested/a.json",
     '{"id": 1, "person": {"Name": "ann", "tags": ["x", "y"], "address": {"city": "Oslo", "zip": "0150"}}, '
     '"attributes": {"colour": "red", "size": "L"}, "events": [{"at": "2024-01-01", "n": 1}, {"at": "2024-01-02", "n": 2}]}\n'
     '{"id": 2, "PERSON": {"name": "bob", "tags": [], "address": null}, "attributes": {}, "events": null}\n')
text("json/paths/a.json", '{"a.b": 1, "ts": "x", "Time": "noon"}\n')
text("json/malformed/a.json", '{"id": 1, "name": "ann"}\n{"id": 2, "name": \n{"id": 3, "name": "cid"}\n')

def zipped(*files, method=zipfile.ZIP_DEFLATED):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as f:
        for name, content in files:
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.compress_type = method
            f.writestr(entry, content)
    return archive.getvalue()


# JSON that is not lines, and web logs (the examples of Apache's documentation).
DOCUMENTS = [{"id": 1, "name": "ann", "tags": ["x"]}, {"id": 2, "name": "bj\u00f6rn", "tags": []}]
text("documents/indented/a.json", "\n".join(json.dumps(d, indent=2) for d in DOCUMENTS) + "\n")
text("documents/array/a.json", json.dumps(DOCUMENTS, indent=2))
text("documents/path/a.json", json.dumps({"count": 2, "page": {"records": DOCUMENTS}}))
text("documents/damaged/a.json", '[\n  {"id": 1},\n  {"id": 2} {"id": 3}\n]\n')
APACHE = ('127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 '
          '"http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"\n')
text("logs/apache/access.log", APACHE + "not a log line\n")
text("logs/words/a.log", "# name number\nann 1\nbob many\ncid 3 more\n")
text("zip/deflated/rows.csv.zip", zipped(("rows.csv", CSV)))
text("zip/stored/rows.csv.zip", zipped(("rows.csv", CSV), method=zipfile.ZIP_STORED))
text("zip/zlib/rows.csv.deflate", zlib.compress(CSV))
text("zip/several/rows.csv.zip", zipped(("a.csv", "1,a,1\n"), ("b.csv", "2,b,2\n")))

# What writers leave beside the data.
text("hidden/part-0.csv", "1,seen\n")
for name in ["_SUCCESS", "_part-1.csv", ".part-2.csv", "_temporary/0/part-3.csv", ".staging/part-4.csv"]:
    text(f"hidden/{name}", "2,hidden\n" if "part" in name else "")

# Partitions as Spark lays them out.
for day, rows in [("2024-01-01", [1, 2]), ("2024-01-02", [3]), ("__HIVE_DEFAULT_PARTITION__", [4])]:
    parquet(f"spark/day={day}/part-00000-6c1f.c000.snappy.parquet", pa.table({"id": pa.array(rows, pa.int32())}))
text("spark/_SUCCESS", "")
for city, n in [("S%C3%A3o Paulo", 1), ("a%2Fb%3Dc", 2), ("New York", 3)]:
    text(f"escaped/city={city}/part-0.csv", f"{n}\n")

# Projection: by region (enum), year (integer), day (date), device (injected).
for region, n in [("eu", 1), ("us", 2), ("ap", 3)]:
    text(f"projection/enum/region={region}/a.csv", f"{n}\n")
for year in [2019, 2021, 2022]:
    text(f"projection/integer/year={year}/a.csv", f"{year - 2000}\n")
for month in ["01", "02", "12"]:
    text(f"projection/digits/m={month}/a.csv", f"{int(month)}\n")
for day in ["2024/01/30", "2024/01/31", "2024/02/01", "2024/03/01"]:
    text(f"projection/date/{day}/a.csv", f"{day.replace('/', '')}\n")
for device in ["a1", "b2"]:
    text(f"projection/injected/{device}/a.csv", f"{device}\n")

# Damaged and wrong files.
text("bad/wrong_format/a.parquet", "this is not a Parquet file, it is a line of text\n")
text("bad/wrong_format_orc/a.orc", "this is not an ORC file, it is a line of text\n")
text("bad/wrong_format_avro/a.avro", "this is not an Avro file, it is a line of text\n")
whole = open("codecs/parquet/snappy.parquet", "rb").read()
text("bad/truncated_parquet/a.parquet", whole[: len(whole) // 2])
text("bad/truncated_orc/a.orc", open("codecs/orc/zlib.orc", "rb").read()[:2000])
text("bad/truncated_avro/a.avro", open("types/avro/types.avro", "rb").read()[:-40])
text("bad/truncated_gzip/a.csv.gz", gzip.compress(CSV, mtime=0)[:-1500])
text("bad/not_gzip/a.csv.gz", "1,ann,0.5\n")
text("bad/number/a.csv", "1,1.5\n2,2.5\n3,many\n")
text("bad/open_quote/a.csv", '1,"ann"\n2,"bob\n3,"cid"\n')
text("bad/json_type/a.json", '{"id": 1}\n{"id": "many"}\n')
text("bad/utf8/a.csv", b"1,ok\n2,\xff\xfe\n")
parquet("bad/parquet_type/a.parquet", pa.table({"id": ["one", "two"]}))
parquet("bad/overflow/a.parquet", pa.table({"id": pa.array([1, 3_000_000_000], pa.int64())}))
text("bad/empty_files/a.csv", "")


# Folders for crawlers, each as its program writes it.
PEOPLE = {
    "id": [1, 2, 3, 4],
    "name": ["ann", "bo, jr", 'say "hi"', "two\nlines"],
    "score": [0.5, 1.25, None, 4.0],
    "joined": ["2024-01-31", "2024-02-29", "2023-12-01", "2024-03-05"],
    "active": [True, False, True, True],
    "zip": ["01234", "00501", "10001", "94103"],
}


def crawl_pandas(root="crawl/pandas"):
    import pandas as pd, pyarrow.dataset as ds

    frame = pd.DataFrame(PEOPLE)
    frame.to_csv(path(f"{root}/with_index/people.csv"))
    frame.to_csv(path(f"{root}/with_header/people.csv"), index=False)
    frame.to_csv(path(f"{root}/without_header/people.csv"), index=False, header=False)
    frame.to_json(path(f"{root}/json_lines/people.json"), orient="records", lines=True)
    frame.to_json(path(f"{root}/json_array/people.json"), orient="records")
    frame.to_csv(path(f"{root}/compressed_gzip/people.csv.gz"), index=False, compression={"method": "gzip", "mtime": 0})
    frame.to_csv(path(f"{root}/compressed_bz2/people.csv.bz2"), index=False)
    frame.to_csv(path(f"{root}/compressed_zstd/people.csv.zst"), index=False)
    text(f"{root}/compressed_zip/people.csv.zip", zipped(("people.csv", frame.to_csv(index=False))))
    table = pa.Table.from_pandas(frame.assign(year=[2023, 2023, 2024, 2024], month=[1, 2, 1, 1]), preserve_index=False)
    keys = pa.schema([("year", pa.int32()), ("month", pa.int32())])
    table = table.set_column(6, "year", table["year"].cast(pa.int32())).set_column(7, "month", table["month"].cast(pa.int32()))
    for flavor, name in [("hive", "hive"), (None, "directories")]:
        ds.write_dataset(table, f"{root}/{name}", format="parquet", existing_data_behavior="delete_matching",
                         partitioning=ds.partitioning(keys, flavor=flavor))


def crawl_spark(root="crawl/spark"):
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    rows = [(1, "a", 1.5, "x y"), (2, "b", 2.5, "a/b:c=d"), (3, None, None, None), (4, "d", 4.5, "50%")]
    frame = spark.createDataFrame(rows, "id bigint, s string, v double, k string").coalesce(1)
    frame.write.mode("overwrite").partitionBy("k").parquet(f"{root}/parquet_keys")
    frame.write.mode("overwrite").orc(f"{root}/orc")
    frame.repartition(2, "id").write.mode("overwrite").option("header", True).csv(f"{root}/csv_header")
    frame.write.mode("overwrite").option("compression", "gzip").json(f"{root}/json_gzip")
    spark.stop()


def crawl_duckdb(root="crawl/duckdb"):
    import duckdb

    query = "SELECT i AS id, i * 1.5::DOUBLE AS v, DATE '2024-01-01' + (i % 3)::INT AS day FROM range(30) t(i)"
    for form in ["parquet", "csv"]:
        duckdb.sql(f"COPY ({query}) TO '{path(root + '/' + form)}' (FORMAT {form}, PARTITION_BY (day), OVERWRITE)")


def crawl_text(root="crawl/text"):
    lines = [("1", "ann", "0.5"), ("2", "\\N", "1.5"), ("3", "cid", "\\N")]
    text(f"{root}/ctrl_a/000000_0", "".join("\x01".join(line) + "\n" for line in lines))
    excel = "Nr;Name;Betrag;Datum\r\n1;Ann;1,50;31.01.2024\r\n2;\"Bo; jr\";-2,25;29.02.2024\r\n3;Zoë;1000,00;01.03.2024\r\n"
    text(f"{root}/excel/umsatz.csv", b"\xef\xbb\xbf" + excel.encode())
    agents = '"-" "curl/8.5.0"'
    text(f"{root}/access/access.log", "".join(
        f'192.0.2.{n} - {user} [10/Oct/2000:13:55:3{n} -0700] "GET /p{n}?q=a%20b HTTP/1.1" {status} {size} {agents}\n'
        for n, user, status, size in [(1, "-", 200, 2326), (2, "frank", 404, "-"), (3, "-", 304, 0)]))


def crawl_evolution(root="crawl/evolution"):
    # Seven columns are the same everywhere: the generations stay above the 70 % of the similarity rule.
    same = {name: [name, name] for name in ["a", "b", "c", "d", "e", "f", "g"]}
    parquet(f"{root}/p/day=1/a.parquet", pa.table({"n": pa.array([1, 2], pa.int32()), **same}))
    wider = {"n": pa.array([3_000_000_000, 4], pa.int64()), **same, "extra": [0.5, None]}
    parquet(f"{root}/p/day=2/a.parquet", pa.table(wider))
    for generation, value in [("int", "7"), ("bigint", "3000000000"), ("double", "1.5"), ("string", "many")]:
        line = ",".join(same)
        text(f"{root}/c/{generation}.csv", f"id,value,{line}\n1,{value},{line}\n2,{value},{line}\n")


crawl_pandas()
crawl_duckdb()
crawl_text()
crawl_evolution()
crawl_spark()
