"""Systems that are slow, fail midway, go away or change while they are read: real servers, between them and the program a
connection that makes trouble at a request that is told. An answer is whole, or the statement fails; no row comes twice.

Usage: troubles.py BINARY WORK KINESIS DYNAMODB SEARCH, the last three being where the servers answer.
"""
import contextlib
import csv
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3

binary, work, kinesis_at, dynamodb_at, search_at = sys.argv[1:]
account = dict(region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret")
stream = boto3.client("kinesis", endpoint_url=kinesis_at, **account)
store = boto3.client("dynamodb", endpoint_url=dynamodb_at, **account)
ROWS = 3000
TOTAL = [[str(ROWS), str(ROWS), str(sum(range(ROWS)))]]
checks = 0


class Between:
    """Passes bytes on. From a request whose first line or header has `marker`, the `at`th of these, on it does `trouble`: a
    function that is called before the request goes on, or "cut" (once, in the middle of the answer), "stall" (three seconds
    of silence), "gone" (nothing is passed on any more and nobody is let in)."""

    def __init__(self, endpoint, marker, at, trouble):
        self.target = ("127.0.0.1", urllib.parse.urlsplit(endpoint).port)
        self.marker, self.at, self.trouble = marker.encode(), at, trouble
        self.seen, self.lock, self.sockets = 0, threading.Lock(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
                self.sockets += [client, server]
                state = {"cut": False}
                threading.Thread(target=self.ask, args=(client, server, state), daemon=True).start()
                threading.Thread(target=self.answer, args=(server, client, state), daemon=True).start()

    def ask(self, client, server, state):
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                if self.marker in data and self.is_time():
                    if callable(self.trouble):
                        self.trouble()
                    elif self.trouble == "cut":
                        state["cut"] = True
                    elif self.trouble == "stall":
                        time.sleep(3)
                    else:
                        self.close()
                        return
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def answer(self, server, client, state):
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if state["cut"]:
                    client.sendall(data[: len(data) // 2])
                    break
                client.sendall(data)
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def is_time(self):
        with self.lock:
            self.seen += 1
            return self.seen == self.at

    def close(self):
        # Whoever waits in accept() is woken by the shutdown only.
        for end in [self.listener, *self.sockets]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def same(what, actual, expected):
    global checks
    checks += 1
    if actual != expected:
        sys.exit(f"troubles: FAILED: {what}: {actual} instead of {expected}")


def run(*commands):
    """The last statement's rows; what is said on standard error where it fails."""
    done = subprocess.run([binary, "--warehouse", f"{work}/troubles", "--format", "csv", *commands], capture_output=True, text=True, timeout=300)
    return done.stderr if done.returncode else list(csv.reader(io.StringIO(done.stdout)))[1:]


def sql(text):
    return run("-c", text)


schemas = 0


def schema(kind, endpoint, **options):
    """A schema over a system, made anew: it has asked nothing yet."""
    global schemas
    schemas += 1
    if kind != "opensearch":
        options |= dict(region="us-east-1", access_key_id="key", secret_access_key="secret")
    listed = ", ".join(f"{name} '{value}'" for name, value in options.items())
    more = f" OPTIONS ({listed})" if listed else ""
    same("a schema", sql(f"CREATE EXTERNAL SCHEMA s{schemas} FROM {kind.upper()} ENDPOINT '{endpoint}'{more}"), [])
    return f"s{schemas}"


def search(method, path, body=None, kind="application/json"):
    data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(search_at + path, data, {"Content-Type": kind}, method=method)
    return json.load(urllib.request.urlopen(request, timeout=60))


def bulk(index, documents):
    lines = "".join(f'{{"index": {{"_id": "{at}"}}}}\n{json.dumps(document)}\n' for at, document in documents)
    assert not search("POST", f"/{index}/_bulk?refresh=true", lines, "application/x-ndjson")["errors"]


def fill_search():
    search("PUT", "/rows", {"settings": {"number_of_shards": 2, "number_of_replicas": 0}, "mappings": {"properties": {"n": {"type": "long"}}}})
    bulk("rows", ((n, {"n": n, "note": "x" * 50}) for n in range(ROWS)))


def fill_dynamodb():
    key = dict(KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}])
    store.create_table(TableName="rows", **key, ProvisionedThroughput={"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000})
    while store.describe_table(TableName="rows")["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(0.02)
    for at in range(0, ROWS, 25):
        puts = [{"PutRequest": {"Item": {"id": {"N": str(n)}, "n": {"N": str(n)}}}} for n in range(at, at + 25)]
        assert not store.batch_write_item(RequestItems={"rows": puts})["UnprocessedItems"]


def fill_kinesis():
    stream.create_stream(StreamName="rows", ShardCount=4)
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(stream.exceptions.ResourceNotFoundException):
            if stream.describe_stream_summary(StreamName="rows")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
                break
        assert time.monotonic() < deadline, "the stream is not made"
        time.sleep(0.05)
    for at in range(0, ROWS, 500):
        records = [{"PartitionKey": str(n), "Data": json.dumps({"n": n}).encode()} for n in range(at, at + 500)]
        assert stream.put_records(StreamName="rows", Records=records)["FailedRecordCount"] == 0


# A kind, where it is, the options with which a page is small, what its pages' requests have in them, its table's end.
JSON = dict(format="json", columns="n bigint", reads_per_second="1000")
SYSTEMS = [
    ("opensearch", search_at, dict(page_size="100"), "POST /_search ", lambda: search("DELETE", "/rows"), fill_search),
    ("dynamodb", dynamodb_at, dict(page_size="100"), "DynamoDB_20120810.Scan", lambda: store.delete_table(TableName="rows"), fill_dynamodb),
    ("kinesis", kinesis_at, JSON, "Kinesis_20131202.GetRecords", lambda: stream.delete_stream(StreamName="rows"), fill_kinesis),
]
QUERY = "SELECT count(*), count(DISTINCT n), sum(n) FROM {}.rows WHERE mod(n, 1) = 0"


def through(kind, endpoint, options, marker, at, trouble):
    """What a query says with trouble at a request."""
    between = Between(endpoint, marker, at, trouble)
    try:
        answer = sql(QUERY.format(schema(kind, between.endpoint, **options)))
        assert between.seen >= at, f"{kind}: only {between.seen} requests"
        return answer
    finally:
        between.close()


for kind, endpoint, options, marker, end, fill in SYSTEMS:
    fill()
    # A stream's four shards are a page each.
    later = 3 if kind == "kinesis" else 9
    same(f"{kind}: all rows", sql(QUERY.format(schema(kind, endpoint, **options))), TOTAL)
    for trouble in ("cut", "stall"):
        for at in (1, 2, later):
            same(f"{kind}: {trouble} at request {at}", through(kind, endpoint, options, marker, at, trouble), TOTAL)
    for at in (1, later):
        said = through(kind, endpoint, options, marker, at, "gone")
        same(f"{kind}: gone at request {at}: {said}", "08006" in str(said) or "does not answer" in str(said) or "cannot be reached" in str(said), True)
    said = through(kind, endpoint, options, marker, later, end)
    # The next statement says so in any case.
    gone = sql(QUERY.format(schema(kind, endpoint, **options)))
    same(f"{kind}: deleted while it was read: {said}", isinstance(said, str) and "rows" in said, True)
    same(f"{kind}: deleted: {gone}", 'rows" does not exist' in str(gone), True)

# An item of 400 KB, the most that there is.
fill_dynamodb()
note = "x" * (400 * 1024 - len("id") - len("note") - 40)
store.put_item(TableName="rows", Item={"id": {"N": "-1"}, "note": {"S": note}})
found = sql(f"SELECT octet_length(note) FROM {schema('dynamodb', dynamodb_at, sample='all')}.rows WHERE id = -1")
same("an item of 400 KB", found, [[str(len(note))]])

# A document of 10 MB among others, a mapping of 5,000 fields, indices that disagree.
search("PUT", "/long", {"mappings": {"properties": {"n": {"type": "long"}, "text": {"type": "text", "index": False}}}})
bulk("long", ((n, {"n": n, "text": "y" * (10 << 20 if n == 3 else 10)}) for n in range(6)))
s = schema("opensearch", search_at)
# Such a text fits no VARCHAR; its length is asked for.
same("a document of 10 MB", sql(f"SELECT n, length(text) FROM {s}.long ORDER BY n"), [[str(n), str(10 << 20 if n == 3 else 10)] for n in range(6)])
fields = {f"f{n:04}": {"type": ["long", "keyword", "double", "date"][n % 4]} for n in range(5000)}
search("PUT", "/wide", {"settings": {"index.mapping.total_fields.limit": 6000}, "mappings": {"properties": fields}})
bulk("wide", [(1, {"f0000": 7, "f4999": "2026-01-02T03:04:05Z"}), (2, {"f0001": "k"})])
same("columns of 5,000 fields", sql(f"SELECT count(*) FROM svv_external_columns WHERE schemaname = '{s}' AND tablename = 'wide'"), [["5004"]])
same("two of 5,000 fields", sql(f"SELECT f0000, f0001 FROM {s}.wide WHERE f0000 = 7 OR f0001 = 'k' ORDER BY _id"), [["7", ""], ["", "k"]])
same("all of 5,000 fields", len(sql(f"SELECT * FROM {s}.wide ORDER BY _id")[0]), 5004)
search("PUT", "/odds-1", {"mappings": {"properties": {"v": {"type": "long"}, "w": {"type": "integer"}}}})
search("PUT", "/odds-2", {"mappings": {"properties": {"v": {"properties": {"x": {"type": "long"}}}, "w": {"type": "double"}}}})
bulk("odds-1", [(1, {"v": 5, "w": 1})])
bulk("odds-2", [(2, {"v": {"x": 6}, "w": 2.5})])
odds = sql(f"""SELECT json_serialize(v), w FROM {s}."odds-*" ORDER BY w""")
same("indices that disagree", [[v, float(w)] for v, w in odds], [["5", 1], ['{"x":6}', 2.5]])

# Ctrl-C closes what was opened.
fill_search()


def open_points():
    return search("GET", "/rows/_stats/search")["_all"]["total"]["search"]["open_contexts"]


s = schema("opensearch", search_at, page_size="1")
same("nothing is open", open_points(), 0)
reading = subprocess.Popen([binary, "--warehouse", f"{work}/troubles", "-c", QUERY.format(s)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
deadline = time.monotonic() + 60
while open_points() == 0:
    assert reading.poll() is None and time.monotonic() < deadline, reading.communicate()
reading.send_signal(signal.SIGINT)
out, err = reading.communicate(timeout=60)
same(f"canceled: {out}{err}", reading.returncode != 0 and str(ROWS) not in out, True)
deadline = time.monotonic() + 20
while open_points() and time.monotonic() < deadline:
    time.sleep(0.1)
same("what was open after Ctrl-C", open_points(), 0)
print(f"troubles: ok      {checks} checks of systems that are slow, fail, go or change while they are read")
