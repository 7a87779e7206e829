"""An OpenSearch server as tables: fills it, asks millrace for rows, compares. BINARY WAREHOUSE ENDPOINT"""
import json
import subprocess
import sys
import time
import urllib.request

binary, warehouse, endpoint = sys.argv[1:]
checks = 0


def send(method, path, body=None, kind="application/json"):
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    request = urllib.request.Request(endpoint + path, data, {"Content-Type": kind}, method=method)
    return json.load(urllib.request.urlopen(request, timeout=60))


def ask(sql):
    run = subprocess.run([binary, "--warehouse", warehouse, "--format", "jsonl", "-c", sql],
                         capture_output=True, text=True, timeout=300)
    if run.returncode:
        return run.stderr
    values = lambda pairs: [value for _, value in pairs]
    return [json.loads(line, object_pairs_hook=values) for line in run.stdout.splitlines() if line.startswith("{")]


def same(what, actual, expected):
    global checks
    checks += 1
    if actual != expected:
        sys.exit(f"clients: FAILED: {what}: {actual} instead of {expected}")


def fill(index, shards, documents, properties):
    send("PUT", f"/{index}", {"settings": {"number_of_shards": shards, "number_of_replicas": 0},
                              "mappings": {"properties": properties}})
    lines = []
    for number, document in documents:
        lines += [json.dumps({"index": {"_id": str(number)}}), json.dumps(document)]
    answer = send("POST", f"/{index}/_bulk?refresh=true", ("\n".join(lines) + "\n").encode(), "application/x-ndjson")
    if answer["errors"]:
        sys.exit(f"clients: FAILED: {index} was not filled")


def document(n):
    row = {"ts": 1420070400000 + n * 1000, "status": [200, 404, 500][n % 3], "user": {"name": f"u{n % 7}"},
           "message": f"{'connection timeout' if n % 10 == 0 else 'all is well'} {n}", "n": n}
    if n % 4 == 0:
        del row["status"]
    return row


properties = {"ts": {"type": "date"}, "status": {"type": "short"}, "n": {"type": "integer"},
              "user": {"properties": {"name": {"type": "keyword"}}},
              "message": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}}
rows = [document(n) for n in range(30000)]
fill("logs-1", 3, enumerate(rows[:20000]), properties)
fill("logs-2", 1, enumerate(rows[20000:], 20000), properties)
send("POST", "/_aliases", {"actions": [{"add": {"index": "logs-*", "alias": "logs"}}]})

ask(f"CREATE EXTERNAL SCHEMA s FROM OPENSEARCH '{endpoint}'")
ask("CREATE TABLE users (name varchar, city varchar)")
ask("INSERT INTO users VALUES ('u1', 'Oslo'), ('u2', 'Rome')")

listed = ask("SELECT tablename FROM svv_external_tables WHERE schemaname = 's' ORDER BY 1")
same("tables", listed, [["logs"], ["logs-1"], ["logs-2"]])
same("count", ask('SELECT count(*) FROM s."logs-*"'), [[30000]])
same("every row once", ask("SELECT count(*), count(DISTINCT n), sum(n) FROM s.logs WHERE mod(n, 1) = 0"), [[30000, 30000, sum(range(30000))]])
for sql, keep in [
    ("status = 500", lambda r: r.get("status") == 500),
    ("status <> 500", lambda r: r.get("status") not in (None, 500)),
    ("NOT (status = 500 OR \"user.name\" = 'u1')", lambda r: r.get("status") not in (None, 500) and r["user"]["name"] != "u1"),
    ("status IS NULL", lambda r: "status" not in r),
    ("ts >= TIMESTAMPTZ '2015-01-01 01:00:00+00' AND ts < TIMESTAMPTZ '2015-01-01 02:00:00+00'", lambda r: 3600000 <= r["ts"] - 1420070400000 < 7200000),
    ("message = 'all is well 7'", lambda r: r["message"] == "all is well 7"),
    ("message LIKE 'connection%'", lambda r: r["message"].startswith("connection")),
    ("match(message, 'timeout')", lambda r: "timeout" in r["message"]),
    ("match_phrase(message, 'is well') AND n < 100", lambda r: "is well" in r["message"] and r["n"] < 100),
]:
    kept = [row["n"] for row in rows if keep(row)]
    same(sql, ask(f"SELECT count(*), sum(n) FROM s.logs WHERE {sql}"), [[len(kept), sum(kept)]])
same("top rows", ask("SELECT n FROM s.logs WHERE status = 404 ORDER BY ts DESC LIMIT 3"),
     [[n] for n in sorted((row["n"] for row in rows if row.get("status") == 404), reverse=True)[:3]])
same("join", ask("SELECT city, count(*) FROM s.logs JOIN users ON name = \"user.name\" GROUP BY 1 ORDER BY 1"),
     [["Oslo", sum(row["user"]["name"] == "u1" for row in rows)], ["Rome", sum(row["user"]["name"] == "u2" for row in rows)]])


def explained(sql):
    run = subprocess.run([binary, "--warehouse", warehouse, "-c", "EXPLAIN ANALYZE " + sql], capture_output=True, text=True, timeout=300)
    return run.stdout + run.stderr


def groups(key, *values):
    """What Python makes of the documents, a list a group: the key, then a value for each function of a group's rows."""
    found = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    made = [[k, *[value(group) for value in values]] for k, group in found.items()]
    return sorted(made, key=lambda row: (row[0] is None, row[0]))


version = send("GET", "/")["version"]
pages = tuple(map(int, version["number"].split(".")[:2])) >= ((2, 4) if version.get("distribution") == "opensearch" else (7, 12))
numbers = lambda group: [row["status"] for row in group if "status" in row]
timestamp = lambda ms: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms / 1000))
for sql, expected in [
    ("SELECT count(*), count(status), sum(n), min(status), max(n), avg(n) FROM s.logs",
     [[30000, len(numbers(rows)), sum(range(30000)), 200, 29999, sum(range(30000)) // 30000]]),
    ("SELECT \"user.name\", count(*), sum(n), max(n) FROM s.logs GROUP BY 1 ORDER BY 1",
     groups(lambda r: r["user"]["name"], len, lambda g: sum(r["n"] for r in g), lambda g: max(r["n"] for r in g))),
    ("SELECT status, count(*), count(status), avg(n) FROM s.logs GROUP BY 1 ORDER BY 1",
     groups(lambda r: r.get("status"), len, lambda g: len(numbers(g)), lambda g: sum(r["n"] for r in g) // len(g))),
    ("SELECT status, \"user.name\" AS u, count(*) FROM s.logs WHERE n < 20 AND status IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
     [[*key, sum((r.get("status"), r["user"]["name"]) == key for r in rows[:20])]
      for key in sorted({(r["status"], r["user"]["name"]) for r in rows[:20] if "status" in r})]),
    # 30,000 groups of a text by its keyword: several pages.
    ("SELECT count(*), sum(c), min(message) FROM (SELECT message, count(*) AS c FROM s.logs GROUP BY message) g",
     [[30000, 30000, "all is well 1"]]),
    ("SELECT to_char(min(ts), 'YYYY-MM-DD HH24:MI:SS'), to_char(max(ts), 'YYYY-MM-DD HH24:MI:SS') FROM s.logs WHERE n < 5000",
     [[timestamp(1420070400000), timestamp(1420070400000 + 4999 * 1000)]]),
    ("SELECT count(*) FROM (SELECT DISTINCT ts FROM s.logs WHERE n < 100) d", [[100]]),
    ("SELECT count(*), max(n) FROM s.logs WHERE match(message, 'timeout')", [[3000, 29990]]),
]:
    same(sql, ask(sql), expected)
    shown = explained(sql)
    # Several pages need a point in time.
    taken = pages or "GROUP BY message" not in sql
    same(f"EXPLAIN {sql}\n{shown}", ["Foreign Aggregate" in shown, "not taken" not in shown], [True, taken])

# What the server's doubles cannot say, and documents that are not alike: the documents are read, and the answer is right.
big = [2**62 + n for n in range(50)] + [-(2**61)]
fill("odd", 2, enumerate({"big": n, "even": [None, n % 2 == 0][n % 5 > 0], "long": "x" * (300 if n % 2 else 5), "list": [1, 2] if n == big[0] else 1} for n in big),
     {"big": {"type": "long"}, "even": {"type": "boolean"}, "list": {"type": "integer"},
      "long": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}})
for sql, expected in [
    ("SELECT min(big), max(big), count(big) FROM s.odd", [[min(big), max(big), len(big)]]),
    ("SELECT sum(big)::varchar FROM s.odd", [[str(sum(big))]]),
    ("SELECT length(long), count(*) FROM (SELECT long, big FROM s.odd) o GROUP BY 1 ORDER BY 1",
     [[5, sum(n % 2 == 0 for n in big)], [300, sum(n % 2 for n in big)]]),
    ("SELECT count(*) FROM (SELECT long, count(*) FROM s.odd GROUP BY long) g", [[2]]),
]:
    same(sql, ask(sql), expected)
for sql in ["SELECT max(big) FROM s.odd", "SELECT long, count(*) FROM s.odd GROUP BY long"]:
    shown = explained(sql)
    same(f"EXPLAIN {sql}\n{shown}", "not taken, all rows were read" in shown, True)
truths = [None if n % 5 == 0 else n % 2 == 0 for n in big]
same("groups of truth values", ask("SELECT even, count(*) FROM s.odd GROUP BY even ORDER BY even"),
     [[truth, truths.count(truth)] for truth in (False, True, None)])
same("their plan", "not taken" in explained("SELECT even, count(*) FROM s.odd GROUP BY even"), False)
same("exact big groups", ask("SELECT big, count(*) FROM s.odd GROUP BY big ORDER BY big"), [[n, 1] for n in sorted(big)])
same("several values", "holds 2 values" in ask("SELECT sum(list) FROM s.odd"), True)
same("several values grouped", "holds 2 values" in ask("SELECT list, count(*) FROM s.odd GROUP BY 1"), True)
# Declared columns: another type, a wider one, a field that no mapping has, mappings that conflict.
send("PUT", "/loose", {"mappings": {"dynamic": False, "properties": {"code": {"type": "keyword"}, "n": {"type": "short"}}}})
for at, source in enumerate([{"code": "7", "n": 1, "extra": {"x": 5}}, {"code": "seven", "n": 2}]):
    send("PUT", f"/loose/_doc/{at}?refresh=true", source)
fill("mixed-1", 1, [(1, {"v": 5})], {"v": {"type": "long"}})
fill("mixed-2", 1, [(2, {"v": "6"})], {"v": {"type": "keyword"}})
declare = ("CREATE EXTERNAL TABLE s.%s (code int, n bigint, x smallint) LOCATION 'opensearch://loose' "
           "TABLE PROPERTIES ('columnMapping'='x=extra.x'%s)")
ask(declare % ("strict", ""))
ask(declare % ("lenient", ", 'invalid.values'='null'"))
ask("CREATE EXTERNAL TABLE s.conflict (v bigint) LOCATION 'opensearch://mixed-*'")
ask("CREATE CRAWLER c DATABASE found TARGETS ('opensearch://logs-*' CONNECTION s)")
ask("START CRAWLER c")
for sql, expected in [
    ("SELECT code, n, x FROM s.lenient ORDER BY n", [[7, 1, 5], [None, 2, None]]),
    ("SELECT n, x FROM s.strict WHERE n = 1", [[1, 5]]),
    ("SELECT n FROM s.lenient WHERE code = 7", [[1]]),
    ("SELECT sum(v) FROM s.conflict WHERE v > 5", [[6]]),
    ("SELECT count(*), max(n), count(status), count(DISTINCT user_name) FROM found.logs", [[30000, 29999, 22500, 7]]),
]:
    same(sql, ask(sql), expected)
same("a misfit", 'field "code" of document "1" in "loose" is no int: "seven"' in ask("SELECT code FROM s.strict"), True)
same("a wider type is asked for", "bool filter n = 1" in explained("SELECT code FROM s.lenient WHERE n = 1"), True)
same("another type is not", "bool filter code" in explained("SELECT n FROM s.lenient WHERE code = 7"), False)
same("a crawled field is asked for", "bool filter user.name = 'u1'" in explained("SELECT n FROM found.logs WHERE user_name = 'u1'"), True)

# A data stream: its backing indices are hidden, and read under its name. Elasticsearch without its commercial part has none.
if version.get("distribution") == "opensearch":
    mappings = {"properties": {"@timestamp": {"type": "date"}, "n": {"type": "integer"}}}
    send("PUT", "/_index_template/streamed", {"index_patterns": ["streamed"], "data_stream": {}, "template": {
        "settings": {"number_of_shards": 2, "number_of_replicas": 0}, "mappings": mappings}})
    for begin in (0, 200):
        if begin:
            send("POST", "/streamed/_rollover")
        lines = [part for n in range(begin, begin + 200) for part in (
            json.dumps({"create": {"_id": str(n)}}), json.dumps({"@timestamp": 1420070400000 + n, "n": n}))]
        answer = send("POST", "/streamed/_bulk?refresh=true", ("\n".join(lines) + "\n").encode(), "application/x-ndjson")
        same("a data stream is filled", answer["errors"], False)
    listed = ask("SELECT tablename FROM svv_external_tables WHERE schemaname = 's' AND tablename LIKE '%streamed%'")
    same("a data stream is a table", listed, [["streamed"]])
    for sql, expected in [
        ("SELECT count(*), count(DISTINCT n), sum(n), count(DISTINCT \"_index\") FROM s.streamed WHERE mod(n, 1) = 0",
         [[400, 400, sum(range(400)), 2]]),
        ("SELECT n FROM s.streamed WHERE n IN (7, 207) ORDER BY n", [[7], [207]]),
        ("SELECT count(*), max(n) FROM s.streamed WHERE n >= 100", [[300, 399]]),
        ("SELECT n FROM s.streamed ORDER BY \"@timestamp\" DESC LIMIT 2", [[399], [398]]),
    ]:
        same(sql, ask(sql), expected)
    send("DELETE", "/_data_stream/streamed")

# An index of which two shards have no place: the server answers without them, so the statement fails.
send("PUT", "/parted?wait_for_active_shards=0&timeout=1s", {"settings": {
    "number_of_shards": 4, "number_of_replicas": 0, "index.routing.allocation.total_shards_per_node": 2}, "mappings": {"properties": {"n": {"type": "long"}}}})
deadline = time.monotonic() + 30
while send("GET", "/_cluster/health/parted")["active_shards"] < 2:
    if time.monotonic() > deadline:
        sys.exit("clients: FAILED: no shard of the index starts")
    time.sleep(0.1)
for query in ["count(*)", "n", "max(n)", "mod(n, 2)"]:
    for more in ["", " LIMIT 1", " WHERE n = 5"]:
        said = ask(f"SELECT {query} FROM s.parted{more}")
        same(f"{query}{more} of an index without two of its shards: {said}", isinstance(said, str) and "shards" in said, True)
send("DELETE", "/parted")

best = ask("SELECT n FROM s.logs WHERE match(message, 'timeout 500') ORDER BY _score DESC LIMIT 1")
same("best score", best, [[500]])
plan = subprocess.run([binary, "--warehouse", warehouse, "-c", "EXPLAIN SELECT n FROM s.logs WHERE status = 500"],
                      capture_output=True, text=True, timeout=60).stdout
same("EXPLAIN", "OpenSearch bool filter status = 500" in plan, True)
print(f"clients: {checks} checks passed (OpenSearch {send('GET', '/')['version']['number']})")
