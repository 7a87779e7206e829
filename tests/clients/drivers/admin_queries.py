"""psycopg on `millrace serve`: the administrators' queries of tests/sql/system, each script in a warehouse of its own.

The arguments are the program and the scripts. Each statement must do as the script says, and each query give as many
rows; what stands in them is compared by the scripts' own runner.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

import psycopg

PASSWORD = "admin-test-password"


def records(text):
    """The statements of a script: its session's name, what is expected ("ok", a SQLSTATE, a number of rows), the SQL."""
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith("#")]
        name = lines.pop(0).split()[1] if lines and lines[0].startswith("connection ") else "default"
        if not lines:
            continue
        kind, *rest = lines.pop(0).split(maxsplit=2)
        if kind == "query":
            # Without a line before its rows it has none.
            split = lines.index("----") if "----" in lines else len(lines)
            yield name, len(lines[split + 1 :]), "\n".join(lines[:split])
        elif kind == "statement" and rest[0] == "error":
            yield name, rest[1][:5], "\n".join(lines)
        elif kind == "statement":
            yield name, "ok", "\n".join(lines)
        else:
            raise AssertionError(f"{kind} is not known here")


def serve(binary, folder):
    """A server in a fresh warehouse, and its port."""
    log = os.path.join(folder, "log")
    with open(log, "w") as output:
        command = [binary, "--warehouse", os.path.join(folder, "warehouse"), "serve", "--listen", "127.0.0.1:0"]
        environment = {**os.environ, "MILLRACE_ADMIN_PASSWORD": PASSWORD}
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    for _ in range(100):
        with open(log) as lines:
            found = re.search(r"listens on .*:(\d+)$", lines.read(), re.MULTILINE)
        if found:
            return server, int(found[1])
        assert server.poll() is None, "the server did not start"
        time.sleep(0.1)
    server.kill()
    raise AssertionError("the server does not listen")


def run(port, script, places):
    """Runs a script; how many statements it had."""
    sessions = {}

    def session(name):
        if name not in sessions:
            sessions[name] = psycopg.connect(
                host="127.0.0.1", port=port, user="admin", dbname="dev", password=PASSWORD, autocommit=True
            )
        return sessions[name]

    count = 0
    with open(script) as file:
        text = file.read()
    for name, expected, sql in records(text):
        for place, value in places.items():
            sql = sql.replace(place, value)
        count += 1
        try:
            cursor = session(name).execute(sql)
            found = len(cursor.fetchall()) if isinstance(expected, int) else "ok"
        except psycopg.Error as failure:
            found = failure.sqlstate
        assert found == expected, f"{script}: expected {expected}, found {found}: {sql}"
    for connection in sessions.values():
        connection.close()
    return count


binary, *scripts = sys.argv[1:]
assert scripts, "no scripts are named"
for script in scripts:
    with tempfile.TemporaryDirectory() as folder:
        tmp = os.path.join(folder, "tmp")
        os.mkdir(tmp)
        server, port = serve(binary, folder)
        try:
            print(script, run(port, script, {"${tmp}": tmp}))
        finally:
            server.terminate()
            server.wait()
