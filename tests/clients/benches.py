"""`millrace bench` at tiny sizes: every suite runs beside DuckDB, answers agree, reports are whole.

    benches.py BINARY FOLDER
"""

import json
import pathlib
import subprocess
import sys

BINARY, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
# Name, arguments, how many lines the report has, how many sides.
SUITES = [
    ("tpch", ["--scale", "0.01", "--against", "duckdb,duckdb-parquet,datafusion"], 22, 4),
    ("tpch-wire", ["--scale", "0.01", "--target", "wire", "--queries", "1,6,18"], 3, 1),
    ("tpch-external", ["--scale", "0.01", "--target", "external", "--against", "duckdb-parquet", "--queries", "1,6"], 2, 2),
    ("tpcds", ["--scale", "0.01", "--against", "duckdb", "--queries", "3,7,22,36,49,75,96"], 7, 2),
    ("clickbench", ["--rows", "20000", "--against", "duckdb"], 43, 2),
    ("lake", ["--scale", "0.01", "--files", "20", "--against", "duckdb-parquet"], 26, 2),
    ("load", ["--scale", "0.01", "--inserts", "5"], 12, 2),
    ("concurrency", ["--scale", "0.01", "--clients", "1,3", "--seconds", "2"], 8, 1),
]
# DuckDB reads no ORC.
UNREADABLE = {"lake": "orc, "}


def run(name, arguments):
    suite = name.partition("-")[0]
    command = [BINARY, "bench", "--cache", FOLDER / "cache", suite, *arguments, "--json", FOLDER / f"{name}.json"]
    if suite != "concurrency":
        command += ["--runs", "1", "--python", sys.executable]
    command += ["--html", FOLDER / f"{name}.html"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"benches: FAILED  {name}\n{done.stdout}{done.stderr}")
    return done.stdout


def check(name, lines, sides):
    report = json.loads((FOLDER / f"{name}.json").read_text())
    assert len(report["sides"]) == sides, f"{name}: {report['sides']}"
    assert len(report["lines"]) == lines, f"{name}: {len(report['lines'])} lines"
    for line in report["lines"]:
        skipped = UNREADABLE.get(name)
        if skipped and line["name"].startswith(skipped):
            continue
        assert all(line["times_ms"]) or name == "concurrency", f"{name}: {line}"
    page = (FOLDER / f"{name}.html").read_text()
    assert "http" not in page and "<table" in page, f"{name}: the page asks for something else"


FOLDER.mkdir(parents=True)
for name, arguments, lines, sides in SUITES:
    run(name, arguments)
    check(name, lines, sides)
    print(f"benches: ok      {name}", flush=True)
text = run("tpch", [*SUITES[0][1], "--compare", FOLDER / "tpch.json"])
assert " slower, " in text and "then ms" in text, text
print("benches: ok      compare")
