"""What peers in Python share: a JSON object a line in, one out (see mod.rs)."""
import json
import resource
import sys
import time


def peak():
    """The most memory in bytes. What getrusage tells counts what the process was before it became Python."""
    with open("/proc/self/status") as status:
        return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")), 0)


def text(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def rows_of_arrow(table):
    """An Arrow table's rows; two columns may have one name."""
    return zip(*(column.to_pylist() for column in table.columns))


def serve(version, run, rows, before=lambda request: None, counted=lambda: {}):
    """Answers until there is no request. `run` computes the whole result in the peer's own memory, which is what is timed;
    `rows` makes Python's values of it. `before` is called first, `counted` tells what scans read; neither is timed."""
    print(version, flush=True)
    for line in sys.stdin:
        request, reply = json.loads(line), {}
        try:
            before(request)
            begin = time.perf_counter()
            result = run(request)
            reply["seconds"] = time.perf_counter() - begin
            if request["rows"]:
                reply["rows"] = [[text(value) for value in row] for row in rows(result)]
                reply.update(counted())
        except BaseException as error:
            # A panic within Polars is no Exception.
            if isinstance(error, KeyboardInterrupt):
                raise
            reply["error"] = " ".join(str(error).split())[:300]
        used = resource.getrusage(resource.RUSAGE_SELF)
        reply["peak_memory_bytes"] = peak()
        reply["cpu_seconds"] = used.ru_utime + used.ru_stime
        print(json.dumps(reply), flush=True)
