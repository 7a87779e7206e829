"""Random expressions and queries, run by us and by PostgreSQL: the same values, and errors of the same SQLSTATE class.

PostgreSQL runs in a folder of its own on a socket there (postgres_server). A seed gives the same SQL again. An expression
that differs is taken apart until no part of it differs. What may differ, and why, is DIFFERENCES; each of them is counted.

    postgres_random.py BINARY FOLDER [--seed 1] [--expressions 1000] [--queries 100] [--show 20]
"""

import argparse
import collections
import dataclasses
import decimal
import os
import pathlib
import random
import re
import subprocess
import sys
import time

import psycopg2
import psycopg2.extensions

import postgres_grammar as grammar
import postgres_server
from postgres_queries import QueryWriter

ARGUMENTS = argparse.ArgumentParser()
ARGUMENTS.add_argument("binary")
ARGUMENTS.add_argument("folder", type=pathlib.Path)
ARGUMENTS.add_argument("--seed", type=int, default=1)
ARGUMENTS.add_argument("--expressions", type=int, default=1000)
ARGUMENTS.add_argument("--queries", type=int, default=100)
ARGUMENTS.add_argument("--show", type=int, default=20, help="how many differences are shown")
BATCH = 8
PASSWORD = "random-test-password"

# Values as the programs write them: bool, int8, int2, int4, float4, float8, date, timestamp, numeric.
psycopg2.extensions.register_type(psycopg2.extensions.new_type((16, 20, 21, 23, 700, 701, 1082, 1114, 1700), "WRITTEN", lambda value, _: value))


@dataclasses.dataclass
class Outcome:
    """Rows, or the SQLSTATE and message of an error."""

    rows: list = None
    code: str = None
    message: str = None

    def __str__(self):
        if self.code:
            return f"error {self.code} {self.message}"
        return f"{self.rows[0][0]!r}" if len(self.rows) == 1 and len(self.rows[0]) == 1 else str(self.rows)


def values(outcome):
    return [value for row in outcome.rows or [] for value in row]


# What may differ: name, why, and whether it is that, told by our SQL and both outcomes.
DIFFERENCES = [
    ("upper case of ß", "it is SS, as Unicode has it; the C library knows single characters only",
     lambda sql, ours, theirs: "ß" in "".join(filter(None, values(theirs))) and "SS" in "".join(filter(None, values(ours)))),
    ("constants of branches not taken", "PostgreSQL computes constants when it plans, also where no row needs them",
     lambda sql, ours, theirs: theirs.code and not ours.code and re.search(r"CASE|coalesce|nvl", sql)),
    ("what stands beside a constant NULL", "PostgreSQL drops it when it plans, here it is computed and may fail",
     lambda sql, ours, theirs: ours.code and ours.code[:2] == "22" and "CAST(NULL" in sql and values(theirs) and not any(values(theirs))),
    ("orders of LISTAGG", "two aggregates that need their rows in different orders are refused",
     lambda sql, ours, theirs: ours.code == "0A000" and "conflicting ordering requirements" in ours.message),
    ("years as texts", "beyond the years 1 to 9999 a text of a date is as ISO 8601 has it, not with BC",
     lambda sql, ours, theirs: "AS varchar" in sql and re.search(r"BC'|\d{5}-\d\d-", f"{values(theirs)}")),
    ("doubles that vanish", "a result too small for a double is 0 here, an error there",
     lambda sql, ours, theirs: theirs.message and "underflow" in theirs.message and not ours.code),
    ("a # a", "a defect: DataFusion's optimizer makes 0 of it, also where a is NULL",
     lambda sql, ours, theirs: re.search(r"\((.+) # \1\)", sql)),
]


class Session:
    """A connection that is made again when a statement broke it."""

    def __init__(self, **where):
        self.where = where
        self.connect()

    def connect(self):
        self.connection = psycopg2.connect(**self.where)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()

    def run(self, text):
        try:
            self.cursor.execute(text)
            return Outcome(rows=self.cursor.fetchall())
        except psycopg2.Error as error:
            if error.pgcode is not None:
                return Outcome(code=error.pgcode, message=str(error).strip().split("\n")[0])
            self.connect()
            return Outcome(code="08006", message="the connection was lost")


def same_value(ours, theirs, kind, loose):
    if ours is None or theirs is None:
        return ours is theirs
    if kind in "in":
        ours, theirs = decimal.Decimal(ours), decimal.Decimal(theirs)
        if not loose:
            return ours == theirs
        unit = decimal.Decimal(10) ** max(ours.as_tuple().exponent, theirs.as_tuple().exponent)
        return abs(ours - theirs) <= unit
    if kind == "f":
        ours, theirs = float(ours), float(theirs)
        return ours == theirs or abs(ours - theirs) <= 1e-9 * max(abs(ours), abs(theirs), 1e-3)
    return ours == theirs


def same_rows(ours, theirs, columns, ordered):
    if len(ours) != len(theirs):
        return False
    if not ordered:
        # What is compared with tolerance comes last in the order that brings equal rows together.
        key = lambda row: ([plain(value, kind) for value, (kind, loose) in zip(row, columns) if not loose and kind != "f"],
                           [(value is None, float(value or 0)) for value, (kind, loose) in zip(row, columns) if loose or kind == "f"])
        ours, theirs = sorted(ours, key=key), sorted(theirs, key=key)
    return all(same_value(*values, *column) for row in zip(ours, theirs) for *values, column in zip(*row, columns))


def plain(value, kind):
    return (value is None, "" if value is None else str(decimal.Decimal(value).normalize()) if kind in "in" else value)


class Judge:
    """Both programs, and what was found."""

    def __init__(self, ours, theirs, show):
        self.ours, self.theirs, self.show = ours, theirs, show
        self.known = collections.Counter()
        self.failed = self.errors = 0
        self.seen = set()

    def ask(self, ours, theirs):
        return self.ours.run(ours), self.theirs.run(theirs)

    def differs(self, ours, theirs, columns, ordered=True):
        if ours.code and theirs.code:
            return ours.code[:2] != theirs.code[:2]
        return bool(ours.code or theirs.code) or not same_rows(ours.rows, theirs.rows, columns, ordered)

    def report(self, what, ours_sql, theirs_sql, ours, theirs):
        for name, _, test in DIFFERENCES:
            if test(ours_sql, ours, theirs):
                self.known[name] += 1
                return
        self.failed += 1
        if len(self.seen) < self.show and ours_sql not in self.seen:
            self.seen.add(ours_sql)
            print(f"postgres_random: FAILED: {what}: {ours_sql}\n  ours:       {shortened(ours)}\n  PostgreSQL: {shortened(theirs)}"
                  + (f"\n  asked by:   {theirs_sql}" if theirs_sql != ours_sql else ""), flush=True)

    def expressions(self, batch, rows):
        """Compares expressions over rows of the table `v`."""
        columns = [(one.kind, one.loose) for one in batch]
        select = lambda side: f"SELECT {', '.join(getattr(one, side) for one in batch)} FROM v WHERE {rows} ORDER BY id"
        ours, theirs = self.ask(select("ours"), select("theirs"))
        if not ours.code and not theirs.code and not self.differs(ours, theirs, columns):
            return
        for one in batch:
            self.expression(one, rows)

    def expression(self, one, rows):
        outcomes = self.outcomes(one, rows)
        if not self.differs(*outcomes, [(one.kind, one.loose)]):
            if outcomes[0].code and "<=" in rows:
                self.errors += 1
                for row in range(1, grammar.PLAIN_ROWS + 1):
                    if self.different(one, f"id = {row}"):
                        return self.shrunk(one, f"id = {row}")
            return
        for row in range(1, len(grammar.VALUES_ROWS) + 1) if "<=" in rows else ():
            if row <= grammar.PLAIN_ROWS and self.different(one, f"id = {row}"):
                return self.shrunk(one, f"id = {row}")
        self.shrunk(one, rows)

    def outcomes(self, one, rows):
        return self.ask(f"SELECT {one.ours} FROM v WHERE {rows} ORDER BY id", f"SELECT {one.theirs} FROM v WHERE {rows} ORDER BY id")

    def different(self, one, rows):
        return self.differs(*self.outcomes(one, rows), [(one.kind, one.loose)])

    def shrunk(self, one, rows):
        """Reports the smallest part that still differs."""
        while True:
            part = next((part for part in one.parts if self.different(part, rows)), None)
            if part is None:
                break
            one = part
        self.report(f"expression where {rows}", one.ours, one.theirs, *self.outcomes(one, rows))

    def query(self, query):
        ours, theirs = self.ask(query.ours, query.theirs)
        if self.differs(ours, theirs, query.columns, query.ordered):
            self.report("query", query.ours, query.theirs, ours, theirs)


def shortened(outcome):
    text = str(outcome)
    return text if len(text) < 600 else text[:600] + "…"


def postgres():
    """Starts PostgreSQL; returns where its socket is, and how to end it."""
    missing = postgres_server.Server.missing()
    if missing:
        print(f"postgres_random: SKIPPED: {missing}")
        sys.exit(0)
    server = postgres_server.Server("oracle", ["fsync=off", "timezone=UTC", "jit=off", "lc_messages=C"])
    return server.folder, server.remove


def millrace(binary, folder):
    """Starts `millrace serve`; returns its port, and how to stop it."""
    os.makedirs(folder)
    log = pathlib.Path(folder, "log")
    process = subprocess.Popen([binary, "--warehouse", f"{folder}/warehouse", "serve", "--listen", "127.0.0.1:0"], stdout=open(log, "w"),
                               stderr=subprocess.STDOUT, env=dict(os.environ, MILLRACE_ADMIN_PASSWORD=PASSWORD))

    def stop():
        process.terminate()
        process.wait()

    for _ in range(300):
        found = re.search(r"listens on .*:(\d+)", log.read_text())
        if found:
            return int(found.group(1)), stop
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit(f"postgres_random: FAILED: the server did not start\n{log.read_text()}")


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int)):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


def fill(cursor, seed):
    tables = [("v", grammar.VALUES_COLUMNS, grammar.VALUES_ROWS)]
    source = random.Random(seed)
    tables += [(name, grammar.QUERY_COLUMNS, grammar.query_rows(source, count)) for name, count in grammar.QUERY_TABLES.items()]
    for name, columns, rows in tables:
        cursor.execute(f"CREATE TABLE {name} ({columns})")
        cursor.execute(f"INSERT INTO {name} VALUES " + ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows))


def compare(judge, arguments):
    source = random.Random(arguments.seed)
    made = grammar.Grammar(source)
    done = 0
    while done < arguments.expressions:
        batch = [made.any(source.choice([1, 2, 2, 3, 3, 4])) for _ in range(BATCH)]
        # The ends of the types one row at a time: an error there hides no other row.
        extreme = source.random() < 0.25
        judge.expressions(batch, f"id = {source.randint(grammar.PLAIN_ROWS + 1, len(grammar.VALUES_ROWS))}" if extreme else f"id <= {grammar.PLAIN_ROWS}")
        done += len(batch)
    writer = QueryWriter(source)
    for _ in range(arguments.queries):
        judge.query(writer.query())
    return done


def main():
    arguments = ARGUMENTS.parse_args()
    arguments.folder.mkdir(parents=True)
    begin = time.monotonic()
    socket, stop_postgres = postgres()
    try:
        port, stop_millrace = millrace(arguments.binary, str(arguments.folder / "millrace"))
        try:
            theirs = Session(host=socket, user="oracle", dbname="postgres")
            ours = Session(host="127.0.0.1", port=port, user="admin", password=PASSWORD, dbname="dev", sslmode="disable")
            for session in (theirs, ours):
                fill(session.cursor, arguments.seed)
            judge = Judge(ours, theirs, arguments.show)
            done = compare(judge, arguments)
        finally:
            stop_millrace()
    finally:
        stop_postgres()
    for name, why, _ in DIFFERENCES:
        if judge.known[name]:
            print(f"postgres_random: known: {judge.known[name]} times {name}: {why}")
    print(f"postgres_random: seed {arguments.seed}: {done} expressions ({judge.errors} that fail on plain rows in both) and {arguments.queries} queries in"
          f" {time.monotonic() - begin:.0f} s: {judge.failed} differ without a reason")
    sys.exit(1 if judge.failed else 0)


if __name__ == "__main__":
    main()
