"""DynamoDB's tables through SQL: a real server is filled with boto3, and what millrace reads of it is compared with what
was put. What the server was asked is seen in EXPLAIN and in what EXPLAIN ANALYZE says it cost.
"""
import decimal
import json
import subprocess
import sys
import time

import boto3
from boto3.dynamodb.types import Binary

binary, warehouse, endpoint = sys.argv[1:]
account = dict(endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="key", aws_secret_access_key="secret")
dynamodb = boto3.resource("dynamodb", **account)
D = decimal.Decimal
failures = []


def key(name, kind):
    return {"AttributeName": name, "KeyType": kind}


def index(name, *keys):
    return {"IndexName": name, "KeySchema": list(keys), "Projection": {"ProjectionType": "ALL"}}


def create(name, keys, types, **more):
    capacity = {"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000}
    for each in more.get("GlobalSecondaryIndexes", []):
        each["ProvisionedThroughput"] = capacity
    definitions = [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]
    table = dynamodb.create_table(TableName=name, KeySchema=keys, AttributeDefinitions=definitions,
                                  ProvisionedThroughput=capacity, **more)
    while table.table_status != "ACTIVE":
        time.sleep(0.02)
        table.reload()
    return table


def millrace(*statements, fails=False):
    """The rows of the last statement."""
    schema = (f"CREATE EXTERNAL SCHEMA ddb FROM DYNAMODB ENDPOINT '{endpoint}' REGION 'eu-west-1' "
              "OPTIONS (access_key_id 'key', secret_access_key 'secret')")
    made = subprocess.run([binary, "--warehouse", warehouse, "-c", schema], capture_output=True, text=True)
    if made.returncode != 0 and "already exists" not in made.stderr:
        sys.exit(f"dynamodb: FAILED: {made.stderr}")
    commands = [part for statement in statements for part in ("-c", statement)]
    done = subprocess.run([binary, "--warehouse", warehouse, "--format", "jsonl", *commands], capture_output=True, text=True)
    if fails:
        return done.stderr
    if done.returncode != 0:
        sys.exit(f"dynamodb: FAILED: {statements}: {done.stderr}{done.stdout}")
    return done.stdout


def rows(*statements):
    lines = millrace(*statements).splitlines()
    return [tuple(json.loads(line, parse_float=D).values()) for line in lines if line.startswith("{")]


def check(name, found, expected):
    if found != expected:
        failures.append(name)
        print(f"dynamodb: FAILED: {name}: {found!r} instead of {expected!r}")


def contains(name, text, *parts):
    for part in parts:
        if part not in text:
            failures.append(name)
            print(f"dynamodb: FAILED: {name}: no {part!r} in\n{text}")


orders = [
    dict(pk="abc"[n % 3], sk=n, day=f"2026-{n % 12 + 1:02}-01", price=D(n * 25) / 100, note="x" * (n % 50),
         **({"state": ["open", "sent"][n % 2]} if n % 5 else {}))
    for n in range(3000)
]
table = create("orders", [key("pk", "HASH"), key("sk", "RANGE")], {"pk": "S", "sk": "N", "state": "S", "day": "S"},
               LocalSecondaryIndexes=[index("by_day", key("pk", "HASH"), key("day", "RANGE"))],
               GlobalSecondaryIndexes=[index("by_state", key("state", "HASH"), key("day", "RANGE"))])
with table.batch_writer() as batch:
    for item in orders:
        batch.put_item(Item=item)

table = create("types", [key("id", "HASH")], {"id": "N"})
exact = D("12345678901234567890123456789012345678")
for item in [
    dict(id=1, b=Binary(b"\x00\xff"), flag=True, exact=exact, small=D("0.125"), mixed=1, tags={"x", "y"},
         doc={"a": [1, {"b": D("1.5")}], "none": None}),
    dict(id=2, exact=D(-1), small=D(2), mixed="one"),
]:
    table.put_item(Item=item)
create("nothing", [key("id", "HASH")], {"id": "S"})

check("tables", sorted(rows("SELECT tablename FROM svv_external_tables WHERE schemaname = 'ddb'")),
      [("nothing",), ("orders",), ("types",)])
check("count", rows("SELECT count(*) AS n FROM ddb.orders"), [(3000,)])
check("empty", rows("SELECT count(*) AS n FROM ddb.nothing"), [(0,)])

between = "SELECT sk, price FROM ddb.orders WHERE pk = 'a' AND sk BETWEEN 1 AND 9 ORDER BY sk"
check("between", [(sk, D(price)) for sk, price in rows(between)],
      [(n, D(n * 25) / 100) for n in range(1, 10) if n % 3 == 0])
contains("explain query", millrace("EXPLAIN " + between), "DynamoDB Query on orders: pk = 'a' AND sk BETWEEN 1 AND 9")

by_index = "SELECT count(*) AS n FROM ddb.orders WHERE state = 'open' AND day LIKE '2026-0%'"
check("index", rows(by_index), [(sum(o.get("state") == "open" and o["day"].startswith("2026-0") for o in orders),)])
contains("explain index", millrace("EXPLAIN " + by_index),
         "DynamoDB Query on index by_state: state = 'open' AND day LIKE '2026-0%'")

whole = "SELECT sk FROM ddb.orders WHERE pk = 'b' AND sk IN (1, 4, 5) ORDER BY sk"
check("whole keys", rows(whole), [(1,), (4,)])
contains("explain whole keys", millrace("EXPLAIN " + whole), "DynamoDB BatchGetItem on orders: pk = 'b' AND sk IN (1, 4, 5)")

other = "SELECT count(*) AS n FROM ddb.orders WHERE price > 100.5 AND state <> 'sent'"
check("scan", rows(other), [(sum(o["price"] > D("100.5") and o.get("state") == "open" for o in orders),)])
contains("explain scan", millrace("EXPLAIN " + other), "DynamoDB Scan of orders", "filter")
check("missing", rows("SELECT count(*) AS n FROM ddb.orders WHERE state IS NULL"), [(600,)])

check("exact numbers", rows("SELECT CAST(exact AS varchar) AS exact FROM ddb.types ORDER BY id"), [(str(exact),), ("-1",)])
check("nested", rows("SELECT json_serialize(doc) AS doc, json_serialize(mixed) AS mixed FROM ddb.types ORDER BY id"),
      [('{"a":[1,{"b":1.5}],"none":null}', "1"), (None, '"one"')])
check("join", rows("CREATE TABLE keys (pk varchar(1), sk bigint)", "INSERT INTO keys VALUES ('a', 3), ('b', 4), ('c', 7)",
                   "SELECT o.sk FROM keys k JOIN ddb.orders o ON o.pk = k.pk AND o.sk = k.sk ORDER BY o.sk"), [(3,), (4,)])
by_both = "SELECT count(*) FROM keys k JOIN ddb.orders o ON o.pk = k.pk AND o.sk = k.sk"
contains("explain both keys", millrace("EXPLAIN ANALYZE " + by_both),
         "DynamoDB BatchGetItem on orders: (pk, sk) IN (('a', 3), ('b', 4), ('c', 7))", "Requests: 1")
by_join = "SELECT o.id FROM wanted k JOIN ddb.types o ON o.id = k.id ORDER BY o.id"
check("look-ups", rows("CREATE TABLE wanted (id bigint)", "INSERT INTO wanted VALUES (2), (7)", by_join), [(2,)])
contains("explain look-ups", millrace("EXPLAIN ANALYZE " + by_join), "DynamoDB BatchGetItem on types: id ", "Requests: 1")
latest = "SELECT sk FROM ddb.orders WHERE pk = 'a' ORDER BY sk DESC LIMIT 3"
check("latest", rows(latest), [(2997,), (2994,), (2991,)])
contains("explain latest", millrace("EXPLAIN ANALYZE " + latest), "Rows Examined: 3")
contains("explain analyze", millrace("EXPLAIN ANALYZE " + between), "Requests: 1", "Consumed Capacity: 0.5")
copy = (f"COPY %s FROM 'dynamodb://%s' ENDPOINT '{endpoint}' REGION 'eu-west-1' READRATIO 200 "
        "ACCESS_KEY_ID 'key' SECRET_ACCESS_KEY 'secret'")
check("copy", rows("CREATE TABLE loaded (PK char(1), sk int, state varchar(8), price decimal(8,2), note varchar(50))",
                   copy % ("loaded", "orders"),
                   "SELECT count(*) AS n, count(state) AS s, count(nullif(state, '')) AS g, sum(sk) AS k, sum(price) AS p FROM loaded"),
      [(3000, 3000, 2400, sum(range(3000)), sum(o["price"] for o in orders))])
check("copy documents", rows("CREATE TABLE documents (id int, flag boolean, mixed super, doc super)", copy % ("documents", "types"),
                             "SELECT id, flag, json_serialize(mixed) AS m, json_serialize(doc) AS d FROM documents ORDER BY id"),
      [(1, True, "1", '{"a":[1,{"b":1.5}],"none":null}'), (2, None, '"one"', None)])
contains("copy binary", millrace("CREATE TABLE bytes (b varchar(10))", copy % ("bytes", "types"), fails=True), 'Load into table \'bytes\' failed')
contains("no table", millrace("SELECT * FROM ddb.absent", fails=True), "absent")

# Declared columns: no sample, types that vary by item, a path, keys by name; and what does not fit.
typed = ("CREATE EXTERNAL TABLE ddb.typed (id bigint, mixed varchar(10), small decimal(6,3), list super) LOCATION "
         "'dynamodb://types' TABLE PROPERTIES ('columnMapping'='list=doc.a')")
number = ("CREATE EXTERNAL TABLE ddb.%s (id bigint, n int) LOCATION 'dynamodb://types' "
          "TABLE PROPERTIES ('columnMapping'='n=mixed'%s)")
declared = "SELECT id, mixed, small, json_serialize(list) AS list FROM ddb.typed ORDER BY id"
check("declared", rows(typed, declared),
      [(1, "1", D("0.125"), '[1,{"b":1.5}]'), (2, "one", D("2.000"), None)])
mixed = "SELECT id FROM ddb.typed WHERE mixed = '1'"
check("a number as a text", rows(mixed), [(1,)])
contains("explain mixed types", millrace("EXPLAIN " + mixed), "filter (mixed = '1' OR mixed is no S)")
contains("explain a declared key", millrace("EXPLAIN SELECT small FROM ddb.typed WHERE id = 2"), "DynamoDB GetItem on types: id = 2")
contains("a misfit", millrace(number % ("strict", ""), "SELECT n FROM ddb.strict", fails=True),
         'attribute "mixed" of the item with id = 2 is a string that is no int: "one"')
check("misfits as NULL", rows(number % ("lenient", ", 'invalid.values'='null'"), "SELECT id, n FROM ddb.lenient ORDER BY id"),
      [(1, 1), (2, None)])
check("misfits are NULL in conditions", rows("SELECT id FROM ddb.lenient WHERE n IS NULL"), [(2,)])

# A crawler's tables are read like those of the schema, and follow the system.
crawler = "CREATE CRAWLER keys DATABASE found TARGETS ('dynamodb://' CONNECTION ddb SCAN ALL TRUE SCAN RATE 1.5 EXCLUDE ('types'))"
found = rows(crawler, "START CRAWLER keys")
check("a crawl", found, [("CREATED", "nothing", "0", None), ("CREATED", "orders", "0", None)])
check("a crawled table", rows("SELECT count(*) AS n, sum(price) AS p, count(state) AS s FROM found.orders"),
      [(3000, sum(o["price"] for o in orders), 2400)])
contains("explain a crawled table", millrace("EXPLAIN SELECT price FROM found.orders WHERE pk = 'a' AND sk > 10"),
         "DynamoDB Query on orders: pk = 'a' AND sk > 10")
dynamodb.Table("nothing").delete()
while "nothing" in [table.name for table in dynamodb.tables.all()]:
    time.sleep(0.02)
check("a table that is gone", rows("START CRAWLER keys"),
      [("DEPRECATED", "nothing", "0", "its system has it no more"), ("UNCHANGED", "orders", "0", None)])
contains("a table that was deleted", millrace("SELECT * FROM found.nothing", fails=True), 'table "nothing" does not exist')
from_shell = subprocess.run([binary, "--warehouse", warehouse, "crawl", "dynamodb://orders", "--database", "shell",
                             "--connection", "ddb", "--scan-sample"], capture_output=True, text=True)
contains("crawl from the shell", from_shell.stdout + from_shell.stderr, "CREATED", "orders")

if failures:
    sys.exit(1)
print(f"dynamodb: {3000 + 2} items read, by keys, indexes and scans")
