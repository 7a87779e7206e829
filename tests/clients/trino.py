"""Athena's dialect beside Trino's own server: the same values, types and errors.

First the statements of tests/sql in Athena's dialect that read no table, and the examples of docs/sql/functions.md; then
random expressions over a few rows and over constants, aggregates and window functions. A seed gives the same SQL again. An
expression that differs is taken apart until no part of it differs; of what differs in one way one example is shown. What
may differ, and why, is DIFFERENCES; each of them is counted, and so is what Trino refuses and we take.

    trino.py BINARY FOLDER URL [--seed 1] [--expressions 600] [--show 20] [--only scripts|random]
    trino.py --trino-alone URL [--seed 1] [--expressions 600]   which random expressions Trino refuses
"""

import argparse
import collections
import concurrent.futures
import pathlib
import random
import sys
import time

import trino_client as client
import trino_grammar as grammar
import trino_known as known
import trino_scripts as scripts

ARGUMENTS = argparse.ArgumentParser()
ARGUMENTS.add_argument("binary", nargs="?")
ARGUMENTS.add_argument("folder", type=pathlib.Path, nargs="?")
ARGUMENTS.add_argument("url", nargs="?")
ARGUMENTS.add_argument("--trino-alone", metavar="URL")
ARGUMENTS.add_argument("--seed", type=int, default=1)
ARGUMENTS.add_argument("--expressions", type=int, default=600)
ARGUMENTS.add_argument("--show", type=int, default=20, help="how many differences are shown")
ARGUMENTS.add_argument("--only", choices=["scripts", "random"])
BATCH = 8
ALL = tuple(range(1, grammar.ROWS + 1))
PLAIN = tuple(range(1, grammar.PLAIN_ROWS + 1))
# Errors of ours that say that a statement is not understood, or that something broke.
REFUSED = ("42", "0A", "XX", "08", "54")


class Millrace:
    """A session in Athena's dialect, made again when a statement broke it; values are texts as the wire has them."""

    def __init__(self, **where):
        import psycopg2
        import psycopg2.extensions

        self.psycopg2, self.where = psycopg2, where
        numbers = (16, 17, 20, 21, 23, 114, 700, 701, 1000, 1001, 1005, 1007, 1009, 1015, 1016, 1021, 1022, 1042, 1082, 1083, 1114, 1115, 1182, 1183, 1184, 1185, 1186,
                   1187, 1188, 1190, 1231, 1266, 1270, 1700, 4000)
        psycopg2.extensions.register_type(psycopg2.extensions.new_type(numbers, "WRITTEN", lambda value, _: value))
        self.connect()

    def connect(self):
        self.connection = self.psycopg2.connect(**self.where)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.cursor.execute("SET dialect = athena")
        self.cursor.execute("SET statement_timeout = 60000")

    def run(self, text):
        try:
            self.cursor.execute(text)
            return client.Outcome(rows=[list(row) for row in self.cursor.fetchall()] if self.cursor.description else [])
        except self.psycopg2.Error as error:
            if error.pgcode is not None:
                message = str(error).strip().split("\n")[0]
                return client.Outcome(code=error.pgcode, message=message, static=error.pgcode[:2] in REFUSED)
            self.connect()
            return client.Outcome(code="08006", message="the connection was lost", static=True)


def query(expressions, rows, constant, ours=False):
    """Expressions over rows of the table, or over the constants of a row."""
    level = expressions[0].level
    if constant:
        texts = [one.text(rows[0]) for one in expressions]
        return "SELECT " + ", ".join([*texts, *(f"typeof({text})" for text in texts if ours)])
    texts = [one.text() for one in expressions]
    columns = set().union(*(one.columns() for one in expressions))
    before, after = "id, ", " ORDER BY id"
    if level == "window":
        columns |= {name for name in "go" if any(f" {name}" in text for text in texts)}
    if level == "group":
        columns |= {"g"}
        before, after = "g, ", " GROUP BY g ORDER BY g"
    if level == "aggregate":
        before, after = "", ""
        columns |= {"g"} if any("(WHERE g" in text or "(g)" in text for text in texts) else set()
    types = [f"typeof({text})" for text in texts if ours]
    return f"SELECT {before}" + ", ".join([*texts, *types]) + f" FROM {grammar.table(columns, rows)}{after}"


def before_values(level, constant):
    """How many columns stand before the values."""
    return 0 if constant or level == "aggregate" else 1


def column(outcome, at, types_at=None):
    """One column of an outcome, as an outcome; `types_at` is where the name of its type stands."""
    if outcome.code:
        return outcome
    types = [outcome.types[at]] if outcome.types else [outcome.rows[0][types_at]] if types_at is not None and outcome.rows else None
    return client.Outcome(rows=[[row[at]] for row in outcome.rows], types=types)


def verdict(ours, theirs):
    """How outcomes of one column differ: None, "lax" where only Trino refuses, or a word; and the two as they are shown."""
    if theirs.static:
        return (None if ours.code else "lax"), ours, theirs
    if ours.code and theirs.code:
        return ("refused" if ours.static else None), ours, theirs
    if ours.code:
        return ("refused" if ours.static else "fails"), ours, theirs
    if theirs.code:
        return "does not fail", ours, theirs
    signature = theirs.types[0]
    try:
        mine = [client.ours(row[0], signature) for row in ours.rows]
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return "value", ours, shown(theirs)
    other = [client.theirs(row[0], signature) for row in theirs.rows]
    if not client.same(mine, other, client.precision(signature)) and not client.same(mine, client.without_nan(other, signature), client.precision(signature)):
        return "value", client.Outcome(rows=[[value] for value in mine]), client.Outcome(rows=[[value] for value in other])
    if ours.types and signature["rawType"] != "unknown":
        name, wanted = client.our_type_name(ours.types[0] or "NULL"), client.type_name(signature)
        if name != wanted:
            return "type", client.Outcome(rows=[[name]]), client.Outcome(rows=[[wanted]])
    return None, ours, theirs


def shown(theirs):
    return client.Outcome(rows=[[client.theirs(value, kind) for value, kind in zip(row, theirs.types)] for row in theirs.rows])


class Judge:
    """Both programs, and what was found."""

    def __init__(self, ours, theirs, show):
        self.ours, self.theirs, self.show = ours, theirs, show
        self.known, self.lax, self.found = collections.Counter(), collections.Counter(), collections.Counter()
        self.failed = self.errors = 0
        self.made = grammar.Grammar(random.Random(0))
        self.ahead = concurrent.futures.ThreadPoolExecutor(3)

    def ask(self, ours, theirs):
        asked = self.ahead.submit(self.theirs.run, theirs)
        return self.ours.run(ours), asked.result()

    def report(self, what, name, ours_sql, ours, theirs):
        for reason, _, test in known.DIFFERENCES:
            if test(what, ours_sql, ours, theirs):
                self.known[reason] += 1
                return
        if what == "lax":
            self.lax[name] += 1
            return
        self.failed += 1
        self.found[what, name] += 1
        if self.found[what, name] == 1 and len(self.found) <= self.show:
            print(f"trino: FAILED: {what}: {name}\n  {ours_sql}\n  ours:  {shortened(ours)}\n  Trino: {shortened(theirs)}", flush=True)

    def outcomes(self, one, rows, constant):
        ours, theirs = self.ask(query([one], rows, constant), query([one], rows, constant))
        at = before_values(one.level, constant)
        if not ours.code and not theirs.code and ours.rows:
            types = self.ours.run(query([one], rows, constant, True))
            if types.code:
                return ours, column(theirs, at), types
            ours.types = None
            return column(types, at, at + 1), column(theirs, at), None
        return column(ours, at), column(theirs, at), None

    def different(self, one, rows, constant):
        ours, theirs, types = self.outcomes(one, rows, constant)
        if types:
            return "typeof fails", types, shown(theirs)
        return verdict(ours, theirs)

    def expressions(self, batch, rows, constant=False):
        """Compares expressions; where a query of several fails they are asked in halves."""
        if len(batch) == 1:
            return self.expression(batch[0], rows, constant)
        ours, theirs = self.ask(query(batch, rows, constant, True), query(batch, rows, constant))
        if ours.code or theirs.code:
            middle = len(batch) // 2
            self.expressions(batch[:middle], rows, constant)
            return self.expressions(batch[middle:], rows, constant)
        at = before_values(batch[0].level, constant)
        for place, one in enumerate(batch):
            if verdict(column(ours, at + place, at + place + len(batch)), column(theirs, at + place))[0]:
                self.expression(one, rows, constant)

    def expression(self, one, rows, constant):
        what, ours, _ = self.different(one, rows, constant)
        if what:
            return self.taken_apart(one, rows, constant, what)
        if ours.code and len(rows) > 1 and one.level == "scalar":
            # An error hides what other rows have.
            self.errors += 1
            for row in PLAIN[:5]:
                what = self.different(one, [row], constant)[0]
                if what:
                    return self.taken_apart(one, [row], constant, what)

    def taken_apart(self, one, rows, constant, what):
        """Reports the smallest part that still differs, over as few rows as it takes."""
        if what == "lax":
            return self.report(what, one.made_of, query([one], rows, constant), *self.different(one, rows, constant)[1:])
        one, rows, constant = self.smallest(one, rows, constant)
        one = self.plainer(one, rows, constant)
        if len(rows) > 1:
            for row in list(rows):
                fewer = [other for other in rows if other != row]
                if fewer and self.worse(one, fewer, constant):
                    rows = fewer
        if one.level == "scalar" and len(rows) == 1 and not constant and self.worse(one, rows, True):
            constant = True
        what, ours, theirs = self.different(one, rows, constant)
        if what:
            self.report(what, one.made_of, query([one], rows, constant), ours, theirs)

    def worse(self, one, rows, constant):
        return self.different(one, rows, constant)[0] not in (None, "lax")

    def smallest(self, one, rows, constant):
        while True:
            for part in one.parts:
                if part.parts and not part.free and self.worse(part, rows, constant):
                    one = part
                    break
            else:
                return one, rows, constant

    def plainer(self, one, rows, constant):
        """With columns or constants in place of parts that do not matter."""
        for at, part in enumerate(one.parts):
            if part.parts and not part.free:
                for _ in range(3):
                    simpler = one.with_part(at, grammar.Grammar(random.Random(at)).leaf(part.kind, {}) if _ == 0 else self.made.leaf(part.kind, {}))
                    if self.worse(simpler, rows, constant):
                        one = simpler
                        break
        return one


def shortened(outcome):
    text = str(outcome)
    return text if len(text) < 400 else text[:400] + "…"


def random_batches(source, count):
    """Batches of expressions, each with its rows and whether they are constants."""
    made = grammar.Grammar(source)
    done = 0
    while done < count:
        level = source.choice(["scalar"] * 8 + ["aggregate", "group", "window"])
        if level == "scalar":
            batch = [made.any(source.choice([1, 1, 2, 2, 3])) for _ in range(BATCH)]
        elif level == "window":
            batch = [made.window(source.choice([1, 1, 2])) for _ in range(BATCH // 2)]
        else:
            batch = [made.aggregate(source.choice([1, 1, 2])) for _ in range(BATCH // 2)]
            for one in batch:
                one.level = level
        done += len(batch)
        yield made, batch


def compare(judge, source, count):
    done = 0
    for made, batch in random_batches(source, count):
        judge.made = made
        done += len(batch)
        judge.expressions(batch, PLAIN)
        if batch[0].level == "scalar":
            # A row of constants, and one of the ends of types, where an error hides no other row.
            judge.expressions(batch, [source.choice(ALL)], True)
            judge.expressions(batch, [source.choice(ALL[grammar.PLAIN_ROWS:])])
    return done


def alone(arguments):
    """Shows what Trino does not take of what the grammar makes."""
    server, source = client.Trino(arguments.trino_alone), random.Random(arguments.seed)
    done, refused, failed, seen = 0, 0, 0, collections.Counter()
    for _, batch in random_batches(source, arguments.expressions):
        done += len(batch)
        outcome = server.run(query(batch, PLAIN, False))
        for one in batch if outcome.code else ():
            outcome = server.run(query([one], PLAIN, False))
            refused += outcome.static
            failed += bool(outcome.code) and not outcome.static
            if outcome.static or outcome.code and not outcome.code.isupper():
                seen[one.made_of] += 1
                print(f"{outcome.code}: {outcome.message}\n  {one.made_of}\n  {query([one], PLAIN, False)}")
    print(f"trino: {done} expressions: {refused} refused, {failed} fail")


def main():
    arguments = ARGUMENTS.parse_args()
    if arguments.trino_alone:
        return alone(arguments)
    from postgres_random import PASSWORD, millrace

    arguments.folder.mkdir(parents=True)
    begin = time.monotonic()
    port, stop = millrace(arguments.binary, str(arguments.folder / "millrace"))
    statements = done = 0
    try:
        ours = Millrace(host="127.0.0.1", port=port, user="admin", password=PASSWORD, dbname="dev", sslmode="disable")
        judge = Judge(ours, client.Trino(arguments.url), arguments.show)
        if arguments.only != "random":
            statements = scripts.compare(judge)
        if arguments.only != "scripts":
            done = compare(judge, random.Random(arguments.seed), arguments.expressions)
    finally:
        stop()
    for name, why, _ in known.DIFFERENCES:
        if judge.known[name]:
            print(f"trino: known: {judge.known[name]} times {name}: {why}")
    if judge.lax:
        print(f"trino: {sum(judge.lax.values())} times Trino refuses what we take: " + "; ".join(f"{count} {name}" for name, count in judge.lax.most_common(10)))
    if len(judge.found) > arguments.show:
        print("trino: not shown: " + "; ".join(f"{count} {what}: {name}" for (what, name), count in list(judge.found.items())[arguments.show:]))
    print(f"trino: seed {arguments.seed}: {statements} statements and {done} expressions ({judge.errors} fail over rows in both) in"
          f" {time.monotonic() - begin:.0f} s: {judge.failed} differ without a reason, in {len(judge.found)} ways")
    sys.exit(1 if judge.failed else 0)


if __name__ == "__main__":
    main()
