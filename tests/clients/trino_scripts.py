"""What tests/sql says in Athena's dialect without reading a table, and the examples of docs/sql/functions.md, as SQL."""

import pathlib
import re

import trino_client as client

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "tests/sql"
FUNCTIONS = ROOT / "docs/sql/functions.md"
# What another moment or another try gives otherwise.
CHANGING = re.compile(r"\b(now|random|rand|shuffle|uuid|current_timestamp|current_time|current_date|localtime|localtimestamp|current_user)\b", re.I)
# What Trino has no memory for: it makes all splits of a sequence at once.
TOO_LARGE = re.compile(r"sequence\(0, 9223372036854775807\)")


def statements():
    """Every query of a script while its session has Athena's dialect: where it is, its SQL, whether its rows are sorted."""
    for path in sorted(SCRIPTS.rglob("*.slt")):
        athena = False
        for line, block in blocks(path.read_text(encoding="utf-8")):
            head, sql = block[0], "\n".join(block[1:]).split("\n----")[0].strip()
            if re.match(r"statement|query", head) is None:
                continue
            dialect = re.match(r"(?:SET|RESET) dialect\b(?:\s*(?:=|TO)\s*'?(\w+))?", sql, re.I)
            if dialect:
                athena = (dialect[1] or "").lower() == "athena"
            elif athena and re.match(r"\(?\s*(SELECT|VALUES|WITH)\b", sql, re.I):
                yield f"{path.relative_to(SCRIPTS)}:{line}", sql, "rowsort" in head


def blocks(text):
    """What stands between blank lines, without comments, with its first line's number."""
    block, start = [], 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.strip():
            if not line.startswith("#"):
                start = start if block else number
                block.append(line)
        elif block:
            yield start, block
            block = []


def examples():
    """The examples of the page of functions that Athena's dialect has."""
    athena = False
    for number, line in enumerate(FUNCTIONS.read_text(encoding="utf-8").split("\n"), 1):
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 5:
            continue
        athena = "A" in cells[1] if cells[0] else athena
        example = re.fullmatch(r"(`+) ?(.*?) ?\1", cells[3])
        if athena and example:
            yield f"functions.md:{number}", f"SELECT {example[2]}"


def all_of_them():
    """Where, SQL, and whether the order of rows is open."""
    for where, sql, sort in statements():
        if not CHANGING.search(sql) and not TOO_LARGE.search(sql):
            yield where, sql, sort or not re.search(r"\bORDER BY\b", sql, re.I)
    for where, sql in examples():
        if not CHANGING.search(sql):
            yield where, sql, False


def compare(judge):
    """Runs them on both; returns how many both were asked."""
    asked = 0
    found = list(all_of_them())
    # Trino is asked ahead, for it takes its time with each.
    for (where, sql, unordered), theirs in zip(found, judge.ahead.map(judge.theirs.run, [sql for _, sql, _ in found])):
        if theirs.code in client.NO_TABLE:
            continue
        asked += 1
        ours = judge.ours.run(sql)
        what, ours, theirs = verdict(ours, theirs, unordered)
        if what:
            judge.report(what, where, sql, ours, theirs)
    return asked


def verdict(ours, theirs, unordered):
    """How outcomes of several columns differ, as trino.verdict says it of one."""
    if ours.code or theirs.code:
        what = "lax" if theirs.static and not ours.code else "refused" if ours.code and ours.static and not theirs.static else None
        if what is None and bool(ours.code) != bool(theirs.code):
            what = "fails" if ours.code else "does not fail"
        return what, ours, theirs
    other = [[client.theirs(*one) for one in zip(row, theirs.types)] for row in theirs.rows]
    try:
        mine = [[client.ours(*one) for one in zip(row, theirs.types)] for row in ours.rows]
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return "value", ours, client.Outcome(rows=other)
    if unordered:
        mine, other = sorted(mine, key=repr), sorted(other, key=repr)
    same = len(mine) == len(other) and all(len(a) == len(b) == len(theirs.types) for a, b in zip(mine, other))
    for row, wanted in zip(mine, other) if same else ():
        for value, expected, kind in zip(row, wanted, theirs.types):
            precision = client.precision(kind)
            same = same and (client.same(value, expected, precision) or client.same(value, client.without_nan(expected, kind), precision))
    return None if same else "value", client.Outcome(rows=mine), client.Outcome(rows=other)
