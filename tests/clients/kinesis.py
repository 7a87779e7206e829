"""Kinesis streams through SQL: boto3 writes, splits and merges, the built program reads.

Usage: kinesis.py BINARY ENDPOINT WORK. The server is real (tests/clients/services/kinesis) and answers at ENDPOINT.
"""

import csv
import io
import json
import random
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone

import boto3

binary, endpoint, work = sys.argv[1:4]
kinesis = boto3.client(
    "kinesis", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
)


def sql(text):
    """Runs statements; gives the last one's rows."""
    command = [binary, "--warehouse", f"{work}/kinesis", "--format", "csv", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"{text}\n{done.stdout}{done.stderr}")
    return list(csv.reader(io.StringIO(done.stdout)))[1:]


def check(what, found, expected):
    if found != expected:
        raise AssertionError(f"{what}: {found!r} instead of {expected!r}")
    print(f"kinesis: ok      {what}")


def settle(stream):
    while kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE":
        time.sleep(0.02)


def create(stream, shards):
    kinesis.create_stream(StreamName=stream, ShardCount=shards)
    settle(stream)


def put(stream, orders):
    for at in range(0, len(orders), 500):
        records = [
            {"PartitionKey": f"customer {order['customer']}", "Data": json.dumps(order).encode()}
            for order in orders[at : at + 500]
        ]
        answer = kinesis.put_records(StreamName=stream, Records=records)
        assert answer["FailedRecordCount"] == 0, answer


def order(number):
    return {"id": number, "customer": number % 97, "amount": f"{number}.25", "note": None if number % 5 else "fifth"}


def open_shards(stream):
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    shards = [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
    return sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


def split(stream):
    shard = open_shards(stream)[0]
    start, end = (int(shard["HashKeyRange"][f"{edge}HashKey"]) for edge in ("Starting", "Ending"))
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str((start + end) // 2))
    settle(stream)


def merge(stream):
    first, second = open_shards(stream)[:2]
    kinesis.merge_shards(
        StreamName=stream, ShardToMerge=first["ShardId"], AdjacentShardToMerge=second["ShardId"]
    )
    settle(stream)


SCHEMA = f"""FROM KINESIS ENDPOINT '{endpoint}' REGION 'us-east-1' OPTIONS (access_key_id 'key',
secret_access_key 'secret', reads_per_second '1000'"""

create("orders", 4)
orders = [order(number) for number in range(5000)]
put("orders", orders[:4000])
time.sleep(1.2)
between = datetime.now(timezone.utc)
put("orders", orders[4000:])

sql(f"CREATE EXTERNAL SCHEMA raw {SCHEMA})")
sql(
    f"""CREATE EXTERNAL SCHEMA ks {SCHEMA}, streams 'orders, changing', format 'json',
    columns 'id bigint, customer integer, amount decimal(12, 2), note varchar')"""
)
rows = sql("SELECT count(*), count(DISTINCT sequence_number), count(DISTINCT shard_id), sum(length(kinesis_data)) FROM raw.orders")
check("records of a stream", rows, [["5000", "5000", "4", str(sum(len(json.dumps(o)) for o in orders))]])
rows = sql("SELECT count(*), sum(id), sum(amount), count(note), count(DISTINCT customer) FROM ks.orders")
total = sum(range(5000))
check("columns of payloads", rows, [["5000", str(total), f"{total + 1250}.00", "1000", "97"]])
since = f"approximate_arrival_timestamp >= '{between:%Y-%m-%d %H:%M:%S.%f}'"
check("a time", sql(f"SELECT min(id), max(id), count(*) FROM ks.orders WHERE {since}"), [["4000", "4999", "1000"]])
plan = "\n".join(line for row in sql(f"EXPLAIN SELECT id FROM ks.orders WHERE {since}") for line in row)
if f"from AT_TIMESTAMP {between:%Y-%m-%d %H:%M:%S}" not in plan:
    raise AssertionError(f"a plan without its time:\n{plan}")
by_shard = sql("SELECT shard_id, count(*) FROM raw.orders GROUP BY shard_id ORDER BY shard_id")
for shard, count in by_shard:
    check(f"shard {shard}", sql(f"SELECT count(*) FROM raw.orders WHERE shard_id = '{shard}'"), [[count]])

# A materialized view of documents, as Redshift's documentation makes one.
sql("CREATE MATERIALIZED VIEW parsed AS SELECT approximate_arrival_timestamp AS at, json_parse(kinesis_data) AS o "
    "FROM raw.orders WHERE can_json_parse(kinesis_data)")
for _ in range(2):
    sql("REFRESH MATERIALIZED VIEW parsed")
    check("a view of documents", sql("SELECT count(*), sum(o.id::int) FROM parsed"), [["5000", str(total)]])
sql("""CREATE EXTERNAL TABLE raw.typed (partition_key varchar(256), number int, amount decimal(12, 2), fifth varchar(9))
       LOCATION 'kinesis://orders' TABLE PROPERTIES ('columnMapping'='number=id, fifth=note', 'malformed'='skip')""")
declared = sql("SELECT count(*), sum(number), sum(amount), count(fifth), count(DISTINCT partition_key) FROM raw.typed")
check("declared columns", declared, [["5000", str(total), f"{total + 1250}.00", "1000", "97"]])

# Read while it is written, split and merged: what was acknowledged before a statement is in it, nothing twice.
create("changing", 2)
written, failure = [0], []


def write():
    try:
        for round_ in range(12):
            put("changing", [order(number) for number in range(round_ * 300, (round_ + 1) * 300)])
            written[0] = (round_ + 1) * 300
            if round_ % 2 == 0:
                (merge if round_ % 6 == 4 else split)("changing")
    except Exception as error:  # told by the main thread
        failure.append(error)


writer = threading.Thread(target=write)
writer.start()
while writer.is_alive():
    before = written[0]
    [[count, ids, most]] = sql("SELECT count(*), count(DISTINCT id), coalesce(max(id), -1) FROM ks.changing")
    after = written[0] + 300
    if not (before <= int(count) <= after and count == ids):
        raise AssertionError(f"{count} rows, {ids} ids up to {most}; {before} were written before and {after} after")
writer.join()
if failure:
    raise failure[0]
check("a stream after splits and merges", sql("SELECT count(*), count(DISTINCT id) FROM ks.changing"), [["3600", "3600"]])

# A materialized view of a stream: refreshes that are killed at random points while records come, and each is in it once.
create("killed", 3)
sql(
    f"""CREATE EXTERNAL SCHEMA mv {SCHEMA}, streams 'killed', format 'json', malformed 'skip',
    columns 'id bigint, amount decimal(12, 2)')"""
)
sql("CREATE MATERIALIZED VIEW seen AS SELECT id, amount * 2 AS twice, shard_id, sequence_number FROM mv.killed WHERE id % 10 <> 3")
put("killed", [order(number) for number in range(500)])
kinesis.put_records(StreamName="killed", Records=[{"PartitionKey": str(n), "Data": b"no json"} for n in range(3)])
check("a view before its first refresh", sql("SELECT count(*) FROM seen"), [["0"]])
begin = time.monotonic()
sql("REFRESH MATERIALIZED VIEW seen")
takes = time.monotonic() - begin
check("a view of a stream", sql("SELECT count(*), sum(id) FROM seen"), [["450", str(sum(n for n in range(500) if n % 10 != 3))]])
check("what was read", sql("SELECT sum(scanned_rows), sum(skipped_rows) FROM sys_stream_scan_states WHERE mv_name = 'seen'"), [["503", "3"]])
check("bad records", sql("SELECT count(*), count(DISTINCT position) FROM sys_stream_scan_errors WHERE stream_name = 'killed'"), [["3", "3"]])
last, failure = [500], []


def feed():
    try:
        while last[0] < 6000 and not failure:
            put("killed", [order(number) for number in range(last[0], last[0] + 100)])
            last[0] += 100
            if last[0] % 1000 == 0:
                (merge if last[0] % 3000 == 0 else split)("killed")
            time.sleep(takes / 3)
    except Exception as error:  # told by the main thread
        failure.append(error)


random.seed(11)
feeder, killed, ended = threading.Thread(target=feed), 0, 0
feeder.start()
while feeder.is_alive() or killed < 20:
    refresh = subprocess.Popen([binary, "--warehouse", f"{work}/kinesis", "-c", "REFRESH MATERIALIZED VIEW seen"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(random.uniform(0, takes * 1.3))
    refresh.kill()
    said = refresh.communicate()[1].decode()
    killed, ended = killed + (refresh.returncode != 0), ended + (refresh.returncode == 0)
    if "ERROR" in said:
        raise AssertionError(said)
    if (killed + ended) % 5 == 0:
        [[count, ids]] = sql("SELECT count(*), count(DISTINCT id) FROM seen")
        if count != ids:
            raise AssertionError(f"{count} rows of {ids} records")
feeder.join()
if failure:
    raise failure[0]
sql("REFRESH MATERIALIZED VIEW seen")
kept = [number for number in range(last[0]) if number % 10 != 3]
rows = sql("SELECT count(*), count(DISTINCT id), sum(id), sum(twice) FROM seen")
check(f"a view after {killed} refreshes that were killed and {ended} that were not", rows,
      [[str(len(kept)), str(len(kept)), str(sum(kept)), f"{sum(kept) * 2 + len(kept) / 2:.2f}"]])

# The stream is deleted and made anew under its name: its records are not taken for those of the old one.
kinesis.delete_stream(StreamName="killed")
while "killed" in kinesis.list_streams()["StreamNames"]:
    time.sleep(0.02)
create("killed", 3)
put("killed", [order(number) for number in range(20)])
refused = subprocess.run([binary, "--warehouse", f"{work}/kinesis", "-c", "REFRESH MATERIALIZED VIEW seen"],
                         capture_output=True, text=True, timeout=300)
check("another stream is told", "the checkpoint is of another stream" in refused.stderr, True)
check("and leaves the view as it was", sql("SELECT count(*) FROM seen"), [[str(len(kept))]])
sql("DROP MATERIALIZED VIEW seen")
sql("CREATE MATERIALIZED VIEW seen AUTO REFRESH YES AS SELECT id FROM mv.killed")
sql("REFRESH MATERIALIZED VIEW seen")
check("a view that was made anew", sql("SELECT count(*), count(DISTINCT id) FROM seen"), [["20", "20"]])

# It is refreshed by itself while a server runs.
server = subprocess.Popen([binary, "--warehouse", f"{work}/kinesis", "serve", "--listen", "127.0.0.1:0"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for upto in (40, 60):
        put("killed", [order(number) for number in range(upto - 20, upto)])
        begin = time.monotonic()
        while sql("SELECT count(*), count(DISTINCT id) FROM seen") != [[str(upto), str(upto)]]:
            if time.monotonic() - begin > 60:
                raise AssertionError("the view does not refresh itself")
        print(f"kinesis: ok      20 records were in the view after {time.monotonic() - begin:.1f} s")
finally:
    server.terminate()
    server.wait(timeout=60)
