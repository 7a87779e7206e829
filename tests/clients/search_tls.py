"""A search server as Elasticsearch 8 is set up: with a certificate of its own authority and with passwords. Its answers are made
here, in the forms of Elasticsearch's documentation; openssl makes the certificates.

Usage: search_tls.py BINARY WORK
"""
import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import urllib.parse

binary, work = sys.argv[1:]
os.makedirs(work, exist_ok=True)
DOCUMENTS = 25
RIGHT = "Basic " + base64.b64encode(b"reader:S3cret").decode()
# Method, path, body.
asked = []
checks = 0


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=work)


openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
with open(f"{work}/names", "w") as file:
    file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "names", "-out", "server.pem")


def answer(method, path, body):
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    match method, path:
        case "GET", "/":
            return {"name": "node", "version": {"number": "8.17.0"}, "tagline": "You Know, for Search"}
        case "GET", "/_resolve/index/*":
            return {"indices": [{"name": "logs", "attributes": ["open"]}], "aliases": [], "data_streams": []}
        case "GET", "/logs/_mapping":
            return {"logs": {"mappings": {"properties": {"n": {"type": "long"}}}}}
        case "GET", "/logs/_search_shards":
            return {"shards": [[{"index": "logs", "shard": 0}]]}
        case "POST", "/logs/_count":
            return {"count": DOCUMENTS, "_shards": shards}
        case "POST", "/logs/_pit":
            return {"id": "point"}
        case "POST", "/_search":
            begin = body.get("search_after", [-1])[0] + 1
            found = range(begin, min(DOCUMENTS, begin + body["size"]))
            hits = [{"_index": "logs", "_id": str(n), "_score": None, "_source": {"n": n}, "sort": [n]} for n in found]
            return {"pit_id": "point", "took": 1, "timed_out": False, "_shards": shards, "hits": {"hits": hits}}
        case "DELETE", "/_pit":
            return {"succeeded": True, "num_freed": 1}
    return None


class Search(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        text = self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = json.loads(text) if text else None
        path = urllib.parse.unquote(self.path.split("?")[0])
        if self.headers["Authorization"] == RIGHT:
            asked.append((self.command, path, body))
            found = answer(self.command, path, body)
            status = 200 if found is not None else 404
        else:
            found, status = None, 401
        error = {"error": {"type": "security_exception", "reason": "unable to authenticate user"}, "status": status}
        sent = json.dumps(error if found is None else found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_DELETE = serve

    def log_message(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{work}/server.pem", f"{work}/server.key")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Search)
server.socket = context.wrap_socket(server.socket, server_side=True)
# Whoever does not trust it leaves in the middle of a handshake.
server.handle_error = lambda *_: None
endpoint = f"https://127.0.0.1:{server.server_address[1]}"
threading.Thread(target=server.serve_forever, daemon=True).start()


def ask(name, text, password, options):
    """The rows of a statement over a new schema, or what is said on standard error."""
    schema = f"CREATE EXTERNAL SCHEMA {name} FROM ELASTICSEARCH '{endpoint}' USER 'reader' PASSWORD '{password}' OPTIONS ({options})"
    command = [binary, "--warehouse", f"{work}/warehouse", "--format", "jsonl", "-c", schema, "-c", text.format(name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        return done.stderr
    # Columns may have one name.
    values = lambda pairs: [value for _, value in pairs]
    return [json.loads(line, object_pairs_hook=values) for line in done.stdout.splitlines() if line.startswith("{")]


def same(what, actual, expected):
    global checks
    checks += 1
    if actual != expected:
        sys.exit(f"search_tls: FAILED: {what}: {actual} instead of {expected}")


trusted = f"page_size '10', ca_file '{os.path.abspath(work)}/ca.pem'"
rows = "SELECT count(*), count(DISTINCT n), sum(n) FROM {}.logs WHERE mod(n, 1) = 0"
same("rows", ask("trusted", rows, "S3cret", trusted), [[DOCUMENTS, DOCUMENTS, sum(range(DOCUMENTS))]])
searches = [body for method, path, body in asked if (method, path) == ("POST", "/_search")]
same("pages go on in a point in time", [search["pit"]["id"] for search in searches], ["point"] * len(searches))
same("after the last document", [search.get("search_after") for search in searches], [None, [9], [19]])
same("in the server's order", all(search["sort"] == [{"_shard_doc": "asc"}] for search in searches), True)
same("which is closed", [path for method, path, _ in asked if method == "DELETE"], ["/_pit"])
same("tables", ask("listed", "SHOW TABLES IN {}", "S3cret", trusted), [["logs"]])
asked.clear()
said = ask("wrong", rows, "guessed", trusted)
same(f"a wrong password: {said}", "access is denied" in said and "guessed" not in said, True)
said = ask("untrusted", rows, "S3cret", "page_size '10'")
same(f"an authority that nobody knows: {said}", "cannot be reached" in said and "certificate" in said, True)
same("nothing was asked then", asked, [])
print(f"search_tls: {checks} checks of certificates and passwords")
