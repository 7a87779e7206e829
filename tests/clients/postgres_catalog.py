"""A catalog in PostgreSQL, as its users meet it: what is shared, what is refused, and what outlives a kill -9 of either side.

    postgres_catalog.py BINARY FOLDER HISTORIES [COMMAND …]

A command is run first, with the server's URL in MILLRACE_POSTGRES. The server is one of this machine's own programs.
HISTORIES is a folder of scripts, as ducklake.py takes it.
"""
import os
import pathlib
import random
import re
import subprocess
import sys
import threading
import time

import psycopg2

import postgres_server

binary, folder, histories, *command = sys.argv[1:]
PASSWORD = "only-the-server-knows-it"
checks = 0


def same(what, actual, expected):
    global checks
    checks += 1
    if actual != expected:
        sys.exit(f"postgres_catalog: FAILED: {what}: {actual} instead of {expected}")


def has(what, text, *parts):
    for part in parts:
        same(f"{what}: {part!r} in {text!r}", part in text, True)


missing = postgres_server.Server.missing()
if missing:
    print(f"postgres_catalog: SKIPPED: {missing}")
    sys.exit(0)
os.makedirs(folder)
server = postgres_server.Server("lake", ["max_connections=500", "fsync=off", "lc_messages=C"], PASSWORD)
place = f"postgres://lake@127.0.0.1:{server.port}/postgres"
with_password = dict(os.environ, PGPASSWORD=PASSWORD, MILLRACE_ADMIN_PASSWORD=PASSWORD)


def millrace(sql, warehouse="one", catalog=f"{place}?schema=one", environment=with_password, fails=False):
    """Runs statements; the rows, or what it said when it failed."""
    where = ["--warehouse", f"{folder}/{warehouse}", f"--catalog={catalog}", "--format", "tsv"]
    done = subprocess.run([binary, *where, "-f", "-"], input=sql, capture_output=True, text=True, env=environment)
    if (done.returncode != 0) != fails:
        # Also heard of a thread, whose exit says nothing.
        print(f"postgres_catalog: FAILED: {sql}\n{done.stdout}{done.stderr}", file=sys.stderr)
        sys.exit(1)
    return done.stderr if fails else [line.split("\t") for line in done.stdout.splitlines()[1:]]


class Served:
    """`millrace serve` over the catalog, and sessions of it."""

    def __init__(self, warehouse):
        self.log = pathlib.Path(folder, f"{warehouse}.log")
        arguments = [binary, "--warehouse", f"{folder}/{warehouse}", f"--catalog={place}?schema={warehouse}", "serve", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(arguments, stdout=open(self.log, "w"), stderr=subprocess.STDOUT, env=with_password)
        for _ in range(300):
            found = re.search(r"listens on .*:(\d+)", self.log.read_text())
            if found:
                self.port = int(found.group(1))
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"postgres_catalog: FAILED: the server did not start\n{self.log.read_text()}")

    def session(self):
        # A connection to the server that was stopped is found out by the first who uses it, and told.
        for attempt in range(10):
            try:
                session = psycopg2.connect(host="127.0.0.1", port=self.port, user="admin", password=PASSWORD, dbname="dev")
                break
            except psycopg2.OperationalError as error:
                if attempt == 9 or "the catalog is unavailable" not in str(error):
                    raise
                time.sleep(0.3)
        session.autocommit = True
        return session.cursor()

    def kill(self):
        self.process.kill()
        self.process.wait()


def shared_and_refused():
    millrace("CREATE TABLE t (a int, b varchar(20)); INSERT INTO t VALUES (1, 'one'), (2, NULL); CREATE VIEW v AS SELECT a FROM t;")
    same("rows of another process", millrace("SELECT a, b FROM t ORDER BY a"), [["1", "one"], ["2", "\\N"]])
    same("files of the catalog", sorted(path.name for path in pathlib.Path(folder, "one").glob("catalog*")), [])
    # The default schema, and the parts of the URL in parameters.
    parts = f"postgres:///?host=127.0.0.1&port={server.port}&user=lake&dbname=postgres"
    millrace("CREATE TABLE only_here (a int)", "public", parts)
    same("another schema", millrace("SHOW TABLES", "public", parts)[0][0], "only_here")
    # The tables' files are in one folder, which may be moved.
    text = millrace("SELECT 1", "elsewhere", fails=True)
    has("another folder", text, "the files of the tables of postgres://lake@127.0.0.1", f"are in {os.path.abspath(folder)}/one/data/, not in")
    os.rename(f"{folder}/one", f"{folder}/moved")
    same("a folder that was moved", millrace("SELECT count(*) FROM t", "moved"), [["2"]])
    os.rename(f"{folder}/moved", f"{folder}/one")
    same("and back", millrace("SELECT count(*) FROM t"), [["2"]])
    # What is wrong is said without the password.
    wrong = f"postgres://lake:{PASSWORD[:-1]}@127.0.0.1:{server.port}/postgres?schema=one"
    text = millrace("SELECT 1", catalog=wrong, fails=True)
    has("a wrong password", text, "could not connect to postgres://lake@127.0.0.1", "password authentication failed")
    same("a wrong password is not shown", PASSWORD[:-1] in text, False)
    text = millrace("SELECT 1", catalog=f"postgres://lake:{PASSWORD}@127.0.0.1:1/postgres", fails=True)
    has("no server", text, "no connection to postgres://lake@127.0.0.1:1/postgres", "refused")
    same("the password is not shown", PASSWORD in text, False)
    text = millrace("SELECT 1", catalog=f"{place}?sslmod=require", fails=True)
    has("an unknown parameter", text, "parameter \"sslmod\" is none of")
    if server.certificate:
        for mode in ("disable", "require", f"verify-full&sslrootcert={server.certificate}"):
            same(f"sslmode={mode}", millrace("SELECT count(*) FROM t", catalog=f"{place}?schema=one&sslmode={mode}"), [["2"]])
        text = millrace("SELECT 1", catalog=f"{place}?schema=one&sslmode=verify-full", fails=True)
        has("a certificate that nobody vouches for", text, "no connection to postgres://", "certificate")
    # A password in the URL, with everything logged.
    loud = dict(os.environ, MILLRACE_LOG="trace")
    arguments = [binary, "--warehouse", f"{folder}/one", f"--catalog=postgres://lake:{PASSWORD}@127.0.0.1:{server.port}/postgres?schema=one"]
    done = subprocess.run([*arguments, "-c", "SELECT count(*) FROM t; SELECT * FROM stl_query; SHOW ALL"], capture_output=True, text=True, env=loud)
    same("a password in the URL", (done.returncode, PASSWORD in done.stdout + done.stderr), (0, False))
    # ~/.pgpass.
    home = pathlib.Path(folder, "home")
    home.mkdir()
    file = home / ".pgpass"
    file.write_text(f"127.0.0.1:{server.port}:*:lake:{PASSWORD}\n")
    file.chmod(0o600)
    without = {name: value for name, value in os.environ.items() if name != "PGPASSWORD"}
    same("a password file", millrace("SELECT count(*) FROM t", environment=dict(without, HOME=str(home))), [["2"]])


def beside_each_other():
    """Processes that change the same and different rows at once."""
    millrace("CREATE TABLE counter (n int); INSERT INTO counter VALUES (0); CREATE TABLE log (id bigint IDENTITY(1, 1), who int);", "two", f"{place}?schema=two")

    def work(who):
        statements = "".join(f"UPDATE counter SET n = n + 1; INSERT INTO log (who) VALUES ({who});" for _ in range(10))
        millrace(statements, "two", f"{place}?schema=two")

    workers = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = millrace("SELECT n, (SELECT count(*) FROM log), (SELECT count(DISTINCT id) FROM log) FROM counter", "two", f"{place}?schema=two")
    same("what four processes did", found, [["40", "40", "40"]])


class Writer(threading.Thread):
    """Writes a number into two tables in one transaction, then the next, until it cannot or need not."""

    def __init__(self, session, first):
        super().__init__()
        self.session, self.written, self.error, self.enough = session, first - 1, None, False

    def run(self):
        try:
            while not self.enough:
                number = self.written + 1
                self.session.execute(f"BEGIN; INSERT INTO a VALUES ({number}); INSERT INTO b VALUES ({number}); COMMIT")
                self.written = number
        except psycopg2.Error as error:
            self.error = error


def whole(what, rows, acknowledged):
    """All that was acknowledged is there, nothing half; whether what was under way came too."""
    (count_a, most_a, count_b, most_b), = rows
    same(f"{what}: both tables", (count_a, most_a), (count_b, most_b))
    same(f"{what}: no gap", count_a, most_a + 1)
    same(f"{what}: {most_a} after {acknowledged}", most_a in (acknowledged, acknowledged + 1), True)
    return most_a + 1


def killed():
    schema, dice = "killed", random.Random(7)
    look = "SELECT (SELECT count(*) FROM a), (SELECT max(n) FROM a), (SELECT count(*) FROM b), (SELECT max(n) FROM b)"
    served = Served(schema)
    served.session().execute("CREATE TABLE a (n int); CREATE TABLE b (n int); INSERT INTO a VALUES (0); INSERT INTO b VALUES (0)")
    following = 1
    for round_ in range(8):
        writer = Writer(served.session(), following)
        writer.start()
        time.sleep(0.3 + dice.random() / 2)
        served.kill()
        writer.join()
        served = Served(schema)
        session = served.session()
        session.execute(look)
        following = whole(f"millrace killed, round {round_}", session.fetchall(), writer.written)
    for round_ in range(4):
        writer = Writer(served.session(), following)
        writer.start()
        time.sleep(0.3 + dice.random() / 2)
        server.stop()
        time.sleep(dice.random())
        server.start()
        # Either the statement was told that it failed, or it was found to have done well and the next ones went on.
        time.sleep(0.5)
        writer.enough = True
        writer.join()
        following = whole(f"PostgreSQL killed, round {round_} ({writer.error})", looked(served, look), writer.written)
    served.kill()


def looked(served, look):
    """What a query gives; another attempt for each connection that went with the server."""
    for attempt in range(10):
        try:
            session = served.session()
            session.execute(look)
            return session.fetchall()
        except psycopg2.Error as error:
            if attempt == 9 or "the catalog is unavailable" not in str(error):
                raise
            time.sleep(0.3)


def beside_duckdb():
    """DuckDB's ducklake extension commits to the catalog at the same time."""
    try:
        import duckdb
        import duckdb_extension_ducklake
        import duckdb_extension_postgres_scanner
    except ImportError as error:
        print(f"postgres_catalog: SKIPPED: {error}: DuckDB did not attach the catalog")
        return
    millrace("CREATE TABLE d (who varchar(10), n int) TABLE PROPERTIES ('format'='parquet')", "duck", f"{place}?schema=duck")
    # All that it reads and writes in a catalog of SQLite.
    script = pathlib.Path(__file__).with_name("ducklake.py")
    arguments = [binary, f"{folder}/lake", histories, f"{place}?schema=lake"]
    same("ducklake.py", subprocess.run([sys.executable, script, *arguments], env=with_password, check=False).returncode, 0)
    session = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for module, name in ((duckdb_extension_postgres_scanner, "postgres_scanner"), (duckdb_extension_ducklake, "ducklake")):
        session.execute(f"LOAD '{next(pathlib.Path(module.__file__).parent.rglob(name + '.duckdb_extension'))}'")
    os.environ["PGPASSWORD"] = PASSWORD
    dsn = f"host=127.0.0.1 port={server.port} user=lake dbname=postgres"
    session.execute("SET ducklake_max_retry_count = 100")
    session.execute(f"ATTACH 'ducklake:postgres:{dsn}' AS w (DATA_PATH '{os.path.abspath(folder)}/duck/data/', METADATA_SCHEMA 'duck')")

    def ours(who):
        millrace("".join(f"INSERT INTO d VALUES ('{who}', {n});" for n in range(40)), "duck", f"{place}?schema=duck")

    workers = [threading.Thread(target=ours, args=(who,)) for who in ("we", "others")]
    for worker in workers:
        worker.start()
    for n in range(40):
        session.execute(f"INSERT INTO w.\"default\".d VALUES ('duck', {n})")
    for worker in workers:
        worker.join()
    want = [(who, 40, 780) for who in ("duck", "others", "we")]
    same("DuckDB beside us", session.sql('SELECT who, count(*), sum(n)::int FROM w."default".d GROUP BY who ORDER BY who').fetchall(), want)
    rows = millrace("SELECT who, count(*), sum(n) FROM d GROUP BY who ORDER BY who", "duck", f"{place}?schema=duck")
    same("we beside DuckDB", rows, [[str(cell) for cell in row] for row in want])


try:
    if command:
        environment = dict(with_password, MILLRACE_POSTGRES=place)
        done = subprocess.run(command, env=environment, check=False)
        if done.returncode:
            sys.exit(f"postgres_catalog: FAILED: {' '.join(command)}")
    shared_and_refused()
    beside_each_other()
    killed()
    beside_duckdb()
finally:
    server.remove()
print(f"postgres_catalog: {checks} comparisons")
