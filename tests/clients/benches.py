"""`millrace bench` and `millrace-bench kernels|layout` at tiny sizes: every suite runs beside its peers, answers agree, reports
are whole, options do what they say. `millrace-bench` is beside BINARY.

    benches.py BINARY FOLDER
"""

import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys

import duckdb

BINARY, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
# What is for developers.
BENCH = pathlib.Path(BINARY).with_name("millrace-bench")


def has(package):
    return importlib.util.find_spec(package) is not None


def has_postgres():
    told = shutil.which("pg_config") and subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True).stdout.strip()
    return bool(shutil.which("initdb") or told and pathlib.Path(told, "initdb").exists())


# Peers that are not everywhere.
HERE = {"polars": has("polars"), "chdb": has("chdb"), "postgres": has_postgres()}
# Suite, arguments, peers, how many lines the report has.
SUITES = {
    "tpch": (["--scale", "0.01"], "duckdb,duckdb-parquet,datafusion,postgres,polars,chdb", 22),
    "tpch-wire": (["--scale", "0.01", "--target", "wire", "--queries", "1,6,18"], "", 3),
    "tpch-external": (["--scale", "0.01", "--target", "external", "--queries", "1,6"], "duckdb-parquet", 2),
    "tpcds": (["--scale", "0.01", "--queries", "3,7,22,36,49,57,66,75,96"], "duckdb,datafusion,postgres,polars", 9),
    "clickbench": (["--rows", "50000"], "duckdb,datafusion,postgres,polars,chdb", 43),
    # Of the file that `public_file` makes of these rows: days, moments, texts, averages, groups, all columns.
    "clickbench-file": (["--data", FOLDER / "hits.parquet", "--queries", "1,3,7,19,20,24,28,37,40,43"], "duckdb", 10),
    "lake": (["--scale", "0.01", "--files", "20"], "duckdb-parquet,datafusion,polars,chdb", 26),
    "load": (["--scale", "0.01", "--inserts", "5"], "duckdb", 12),
    "concurrency": (["--scale", "0.01", "--clients", "1,3", "--seconds", "3"], "postgres", 10),
    "kernels": (["--rows", "10000"], "duckdb", 25),
}
# Lines that a peer cannot run, by suite and peer: files that it does not read.
UNREADABLE = {
    ("lake", "duckdb-parquet"): lambda line: line.startswith("orc, "),
    ("lake", "datafusion"): lambda line: line.startswith("orc, "),
    ("lake", "polars"): lambda line: line.startswith(("csv, ", "json, ", "orc, ")),
}


def run(name, arguments, peers):
    suite = name.partition("-")[0]
    program = [BENCH] if suite == "kernels" else [BINARY, "bench"]
    command = [*program, "--cache", FOLDER / "cache", suite, *arguments, "--json", FOLDER / f"{name}.json"]
    if suite == "load":
        command += ["--runs", "2"]
    elif suite != "concurrency":
        command += ["--runs", "1"]
    if suite != "concurrency":
        command += ["--python", sys.executable]
    if peers and suite != "load":
        command += ["--against", ",".join(peers)]
    command += ["--html", FOLDER / f"{name}.html"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"benches: FAILED  {name}\n{done.stdout}{done.stderr}")
    return done.stdout


def check(name, peers, lines):
    report = json.loads((FOLDER / f"{name}.json").read_text())
    sides = [side["name"] for side in report["sides"]]
    assert sides[1:] == peers, f"{name}: {sides}"
    assert len(report["lines"]) == lines, f"{name}: {len(report['lines'])} lines"
    assert " cores, " in report["machine"], f"{name}: {report['machine']}"
    for line in report["lines"]:
        for side, times, problem in zip(sides, line["times_ms"], line["problems"]):
            known = UNREADABLE.get((name.partition("-")[0], side), lambda line: False)(line["name"])
            assert (problem is not None) == known, f"{name}: {line['name']}: {side}: {problem}"
            # A report that no client happened to ask for has none.
            assert times or known or name == "concurrency", f"{name}: {line['name']} has no times of {side}"
        if name == "kernels":
            assert line["measures"][0]["rows_read"], f"{name}: {line['name']} reads nothing"
        if name == "clickbench":
            assert line["answer_rows"], f"{name}: {line['name']} has an empty answer"
    page = (FOLDER / f"{name}.html").read_text()
    assert "http" not in page and "<table" in page, f"{name}: the page asks for something else"
    return report


def generated():
    """The rows that `clickbench` generated."""
    return f"read_parquet('{FOLDER}/cache/clickbench-50000/hits/*.parquet')"


def public_file():
    """The same rows as ClickBench's file has its own: other cases of names, days and moments as numbers, texts as bytes."""
    def value(name, type_):
        if type_ == "DATE":
            return f"CAST({name} - DATE '1970-01-01' AS usmallint)"
        if type_ == "TIMESTAMP":
            return f"CAST(epoch({name}) AS bigint)"
        return f"encode({name})" if type_ == "VARCHAR" else name

    columns = duckdb.sql(f"DESCRIBE SELECT * FROM {generated()}").fetchall()
    types = {column[1] for column in columns}
    assert {"DATE", "TIMESTAMP", "VARCHAR"} < types, types
    selected = ", ".join(value(f'"{name}"', type_) + f' AS "{name.upper()}"' for name, type_, *_ in columns)
    duckdb.sql(f"COPY (SELECT {selected} FROM {generated()}) TO '{FOLDER}/hits.parquet' (FORMAT parquet)")


def check_converted():
    """What became of the public file's rows is what they were."""
    [folder] = (FOLDER / "cache").glob("clickbench-file-*")
    converted = f"read_parquet('{folder}/hits/*.parquet')"
    for rows, others in ((generated(), converted), (converted, generated())):
        missing = duckdb.sql(f"SELECT count(*) FROM (SELECT * FROM {rows} EXCEPT ALL SELECT * FROM {others})").fetchone()[0]
        assert missing == 0, f"clickbench-file: {missing} rows of {rows} are not in {others}"


def bench(suite, *arguments):
    """What `millrace bench` gives."""
    command = [BINARY, "bench", "--cache", FOLDER / "cache", suite, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def check_start():
    """How long the program takes to start."""
    told = FOLDER / "start.json"
    done = bench("start", "--runs", "3", "--json", told)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(told.read_text())
    [side], [line] = report["sides"], report["lines"]
    [times], [measure] = line["times_ms"], line["measures"]
    assert len(times) == 3 and min(times) > 0 and measure["max_ms"] == max(times), line
    assert side["peak_memory_bytes"] > 1 << 20 and "select 1" in done.stdout, (side, done.stdout)
    print("benches: ok      start", flush=True)


def check_options():
    """A peer that is not there is left out, tables are kept, a query that takes too long is given up, nonsense is refused."""
    few = ["--scale", "0.01", "--runs", "1", "--queries", "1,6"]
    told = FOLDER / "options.json"
    done = bench("tpch", *few, "--against", "duckdb", "--python", FOLDER / "no-python", "--json", told)
    assert done.returncode == 0 and "SKIPPED: duckdb: " in done.stdout, done.stdout + done.stderr
    assert [side["name"] for side in json.loads(told.read_text())["sides"]] == ["managed"], told.read_text()
    kept = [*few, "--keep", "--python", sys.executable]
    for loads in (True, False):
        done = bench("tpch", *kept, "--against", "duckdb", "--json", told)
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(told.read_text())
        assert all(("load_ms" in side) == loads for side in report["sides"]), report["sides"]
        assert all(times for line in report["lines"] for times in line["times_ms"]), report["lines"]
    # Each query ends the process, which begins again for the next.
    done = bench("tpch", *kept, "--limit", "0", "--json", told)
    assert done.returncode != 0 and "failed, or gave an answer that is no peer's: Q1, Q6" in done.stderr, done.stderr
    for line in json.loads(told.read_text())["lines"]:
        assert line["problems"] == ["given up after 0 s"] and line["times_ms"] == [[]], line
    for arguments, expected in [
        (["--against", "duckdb,duckdb"], "duckdb is named twice"),
        (["--queries", "23"], "there is no such query"),
        (["--runs", "0"], "there has to be a run"),
    ]:
        done = bench("tpch", "--scale", "0.01", "--keep", "--python", sys.executable, *arguments)
        assert done.returncode != 0 and expected in done.stderr, (arguments, done.stdout, done.stderr)
    print("benches: ok      options", flush=True)


def check_clients(report):
    """What is asked most has times on every side, and what ended in a second, how late and for how much CPU."""
    for line in report["lines"]:
        if line["name"] in ("look-up x1", "look-up x3", "all x1", "all x3"):
            for times, measure in zip(line["times_ms"], line["measures"]):
                assert times and measure["per_second"] > 0 and measure["p99_ms"] >= measure["p95_ms"] > 0, line
                assert measure.get("cpu_seconds", 0) > 0 or not line["name"].startswith("all"), line


def check_layout():
    """`millrace-bench layout`: every part has its figures, all answers are right; how long anything takes is not looked at."""
    told = FOLDER / "layout.json"
    command = [BENCH, "--cache", FOLDER / "cache", "layout", "--scale", "0.01"]
    command += ["--queries", "5", "--runs", "1", "--seconds", "3", "--readers", "3", "--memory-limit-mb", "128"]
    done = subprocess.run([*command, "--python", sys.executable, "--json", told], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"benches: FAILED  layout\n{done.stdout}{done.stderr}")
    parts = {part["part"]: part for part in json.loads(told.read_text())}
    assert list(parts) == ["points", "bulk", "readers", "memory", "planning"], list(parts)
    bars = {"points": 4, "bulk": 4, "readers": 1, "memory": 2, "planning": 3}
    for name, part in parts.items():
        report = part["report"]
        assert not part["wrong"], part["wrong"]
        assert len(part["bars"]) == bars[name] and report["title"] in done.stdout, part
        for bar in part["bars"]:
            assert isinstance(bar["figure"], float) and bar["what"] in done.stdout, bar
        for line in report["lines"]:
            assert not any(line["problems"]), f"layout: {name}: {line}"
            assert all(line["times_ms"]) and len(line["times_ms"]) == len(report["sides"]), f"layout: {name}: {line}"
    lines = {name: {line["name"]: line for line in part["report"]["lines"]} for name, part in parts.items()}
    sides = {name: [side["name"] for side in part["report"]["sides"]] for name, part in parts.items()}
    assert list(lines["points"]) == ["point", "point again", "range", "range again"], lines["points"]
    for line in lines["points"].values():
        measure = line["measures"][0]
        # A block of each column at least.
        assert len(line["times_ms"][0]) == 5 and measure["blocks_read"] >= 3 and measure["max_ms"] >= measure["p99_ms"], line
    assert sides["bulk"] == ["managed", "duckdb"] and len(lines["bulk"]) == 2, sides
    assert all(measure["peak_memory_bytes"] for line in lines["bulk"].values() for measure in line["measures"])
    assert sides["readers"] == ["beside", "same threads", "alone"], sides
    for measure in lines["readers"]["read"]["measures"]:
        assert measure["per_second"] > 0 and measure["cpu_seconds"] > 0 and measure["max_ms"] >= measure["p99_ms"], measure
    others = [note for note in parts["readers"]["notes"] if " failed" in note]
    assert len(others) == 4 and all(" 0 failed" in note and ": 0 " not in note for note in others), others
    assert sides["memory"] == ["128 MB", "no limit"] and len(lines["memory"]) == 26, sides
    for line in lines["memory"].values():
        assert all("spilled_bytes" in measure and measure["peak_memory_bytes"] for measure in line["measures"]), line
    assert sides["planning"] == ["planning"] and list(lines["planning"]) == ["chain", "star", "all with all"], sides
    files = FOLDER / "cache" / "tpch-0.01"
    of = lambda rows: duckdb.sql(f"SELECT {rows} FROM read_parquet('{files}/lineitem/*.parquet')").fetchone()[0]
    for name, rows in [
        ("sort", "count(*)"),
        ("group by order", "count(DISTINCT l_orderkey)"),
        ("group by part", "count(DISTINCT (l_partkey, l_suppkey))"),
    ]:
        assert lines["memory"][name]["answer_rows"] == of(rows), f"layout: {name}: {lines['memory'][name]}"
    print("benches: ok      layout beside duckdb", flush=True)


FOLDER.mkdir(parents=True)
for peer in (peer for peer, is_here in HERE.items() if not is_here):
    print(f"benches: SKIPPED {peer} is not installed")
for name, (arguments, peers, lines) in SUITES.items():
    if name == "tpcds" and not has("duckdb_extension_tpcds"):
        print("benches: SKIPPED tpcds: DuckDB's extension is not installed")
        continue
    if name == "clickbench-file":
        public_file()
    peers = [peer for peer in peers.split(",") if peer and HERE.get(peer, True)]
    run(name, arguments, peers)
    report = check(name, peers, lines)
    if name == "concurrency":
        check_clients(report)
    if name == "clickbench-file":
        check_converted()
    print(f"benches: ok      {name}{' beside ' if peers else ''}{', '.join(peers)}", flush=True)
text = run("tpch", [*SUITES["tpch"][0], "--compare", FOLDER / "tpch.json"], ["duckdb"])
assert " slower, " in text and "then ms" in text, text
print("benches: ok      compare")
check_start()
check_options()
check_layout()
