"""Polars as a target of the benchmarks, by its SQL over Parquet files."""
import os
import sys

os.environ["POLARS_MAX_THREADS"] = sys.argv[2]

import peer
import polars

context = polars.SQLContext()


def run(request):
    if request.get("files"):
        # Of a folder its own folders are columns; of a pattern they are not.
        context.register(request["sql"], polars.scan_parquet(request["files"]))
        return polars.DataFrame()
    return context.execute(request["sql"].strip().rstrip(";")).collect(engine="streaming")


peer.serve("Polars " + polars.__version__, run, polars.DataFrame.rows)
