"""Fills a stream, a key-value table and a search index, runs examples/federation.sql over them, the example lake and a
managed table, and compares its answer with what Python and pyarrow make of the same data.

Usage: federation.py BINARY WORK KINESIS DYNAMODB SEARCH, the last three being where the servers answer.
"""
import csv
import decimal
import io
import json
import random
import subprocess
import sys
import time
import urllib.request

import boto3
import pyarrow.parquet

binary, work, *endpoints = sys.argv[1:]
kinesis_at, dynamodb_at, search_at = endpoints
account = dict(region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret")
D = decimal.Decimal
random.seed(7)
CARRIERS = ["AA", "B6", "DL", "UA", "US"]

passengers = [{"id": f"p{n:04}", "name": f"Passenger {n}", "tier": random.choice(["gold", "silver", "none"])} for n in range(400)]
bookings = [{"id": n, "carrier": random.choice(CARRIERS), "passenger": f"p{random.randrange(400):04}", "seats": random.randint(1, 4)}
            for n in range(2000)]
words = ["our flight was delayed", "no delay at all", "lost my bag", "two hours late again", "thank you", "the delay cost me a day"]
messages = [{"carrier": random.choice(CARRIERS[:4]), "message": random.choice(words)} for _ in range(900)]
fares = dict(zip(CARRIERS, map(D, ["310.00", "120.50", "275.25", "290.00", "199.99"])))


def fill():
    stream = boto3.client("kinesis", endpoint_url=kinesis_at, **account)
    stream.create_stream(StreamName="bookings", ShardCount=3)
    while stream.describe_stream_summary(StreamName="bookings")["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE":
        time.sleep(0.02)
    for at in range(0, len(bookings), 500):
        records = [{"PartitionKey": b["passenger"], "Data": json.dumps(b).encode()} for b in bookings[at:at + 500]]
        assert stream.put_records(StreamName="bookings", Records=records)["FailedRecordCount"] == 0
    table = boto3.resource("dynamodb", endpoint_url=dynamodb_at, **account).create_table(
        TableName="passengers", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000})
    while table.table_status != "ACTIVE":
        time.sleep(0.02)
        table.reload()
    with table.batch_writer() as batch:
        for passenger in passengers:
            batch.put_item(Item=passenger)
    properties = {"carrier": {"type": "keyword"}, "message": {"type": "text"}}
    send("PUT", "/messages", json.dumps({"settings": {"number_of_shards": 2}, "mappings": {"properties": properties}}))
    lines = "".join(f'{{"index": {{}}}}\n{json.dumps(message)}\n' for message in messages)
    assert not send("POST", "/messages/_bulk?refresh=true", lines, "application/x-ndjson")["errors"]


def send(method, path, body, kind="application/json"):
    request = urllib.request.Request(search_at + path, body.encode(), {"Content-Type": kind}, method=method)
    return json.load(urllib.request.urlopen(request, timeout=60))


def run(*commands, shape="csv"):
    done = subprocess.run([binary, "--warehouse", f"{work}/warehouse", "--format", shape, *commands], capture_output=True, text=True, timeout=300)
    if done.returncode:
        sys.exit(f"federation: FAILED: {done.stdout}{done.stderr}")
    return done.stdout


def expected():
    tiers = {passenger["id"]: passenger["tier"] for passenger in passengers}
    flights = pyarrow.parquet.read_table("examples/lake/flights/year=2013/month=01", columns=["carrier", "dep_delay"]).to_pylist()
    for carrier in CARRIERS:
        own = [booking for booking in bookings if booking["carrier"] == carrier]
        seats = sum(booking["seats"] for booking in own)
        complaints = sum(m["carrier"] == carrier and bool({"delay", "delayed", "late"} & set(m["message"].split())) for m in messages)
        departed = [flight["dep_delay"] for flight in flights if flight["carrier"] == carrier]
        yield [carrier, len(own), seats, seats * fares[carrier], sum(tiers[booking["passenger"]] == "gold" for booking in own),
               complaints or "", len(departed), sum(delay is not None and delay > 60 for delay in departed)]


fill()
text = open("examples/federation.sql").read()
for port, endpoint in [("http://127.0.0.1:4567", kinesis_at), ("http://127.0.0.1:8000", dynamodb_at), ("http://127.0.0.1:9200", search_at)]:
    assert port in text
    text = text.replace(port, endpoint)
with open(f"{work}/federation.sql", "w") as file:
    file.write(text)
found = list(csv.reader(io.StringIO(run("-f", f"{work}/federation.sql"))))[-len(CARRIERS):]
wanted = [[str(value) for value in row] for row in expected()]
if found != wanted:
    sys.exit(f"federation: FAILED: {found} instead of {wanted}")
query = text[text.rindex("SELECT b.carrier"):].strip().rstrip(";")
plan = run("-c", "EXPLAIN " + query, shape="tsv")
for part in ["booked", "DynamoDB", "OpenSearch aggregation count(*) by carrier of bool query match(message, 'delay delayed late') on messages",
             "S3 Query Scan", "fares"]:
    if part not in plan:
        sys.exit(f"federation: FAILED: no {part!r} in\n{plan}")
print(f"federation: {len(bookings)} bookings of a stream, {len(passengers)} passengers of a key-value table, {len(messages)} documents, "
      "the lake and a managed table in one statement")
