"""Whose credentials sign the requests to AWS's services: those of the schema, of the environment, of a profile, of roles that
are taken on with them. The server is one here that notes who signed: it gives out roles and lists a table.

Usage: credentials.py BINARY WORK
"""
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse

binary, work = sys.argv[1:]
os.makedirs(work, exist_ok=True)
# Who signed what: the key, the session token, and the role that was asked for or None.
signed = []
checks = 0

# As the API reference of AWS Security Token Service has it.
ROLE = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>AROA:millrace</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>KEYOF{name}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
<SessionToken>token of {name}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>"""


class Services(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        key = re.search(r"Credential=([^/]+)/", self.headers["Authorization"]).group(1)
        arn = urllib.parse.parse_qs(body).get("RoleArn", [None])[0]
        signed.append((key, self.headers["X-Amz-Security-Token"], arn))
        if arn:
            answer, kind = ROLE.format(arn=arn, name=arn.rsplit("/", 1)[1]), "text/xml"
        else:
            answer, kind = json.dumps({"TableNames": ["seen"]}), "application/x-amz-json-1.0"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Services)
endpoint = f"http://127.0.0.1:{server.server_address[1]}"
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(f"{work}/profiles", "w") as file:
    file.write("[other]\naws_access_key_id = KEYOFPROFILE\naws_secret_access_key = secret\n")
open(f"{work}/config", "w").close()
# Nothing of the machine's own counts.
clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
clean |= {
    "AWS_ENDPOINT_URL_STS": endpoint,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": f"{work}/config",
    "AWS_SHARED_CREDENTIALS_FILE": f"{work}/profiles",
}
FROM_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "KEYOFENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "secret"}
OWN = "access_key_id 'KEYOFSCHEMA', secret_access_key 'secret'"


def tables(name, more, environment):
    """What a schema over DynamoDB shows, and who signed meanwhile, each once; or what is said on standard error."""
    schema = f"CREATE EXTERNAL SCHEMA {name} FROM DYNAMODB ENDPOINT '{endpoint}' REGION 'eu-west-1' {more}"
    signed.clear()
    command = [binary, "--warehouse", f"{work}/warehouse", "--format", "jsonl", "-c", schema, "-c", f"SHOW TABLES IN {name}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean | environment)
    if done.returncode:
        return done.stderr
    rows = [list(json.loads(line).values()) for line in done.stdout.splitlines() if line.startswith("{")]
    return rows, list(dict.fromkeys(signed))


def same(what, actual, expected):
    global checks
    checks += 1
    if actual != expected:
        sys.exit(f"credentials: FAILED: {what}: {actual} instead of {expected}")


SEEN = [["seen"]]
first, second = "arn:aws:iam::1:role/FIRST", "arn:aws:iam::2:role/SECOND"
for what, more, environment, expected in [
    ("the environment's", "", FROM_ENVIRONMENT, [("KEYOFENVIRONMENT", None, None)]),
    ("default is the chain", "IAM_ROLE default", FROM_ENVIRONMENT, [("KEYOFENVIRONMENT", None, None)]),
    ("with a token", "", FROM_ENVIRONMENT | {"AWS_SESSION_TOKEN": "t"}, [("KEYOFENVIRONMENT", "t", None)]),
    ("the schema's before them", f"OPTIONS ({OWN})", FROM_ENVIRONMENT, [("KEYOFSCHEMA", None, None)]),
    ("a profile's", "OPTIONS (profile 'other')", {}, [("KEYOFPROFILE", None, None)]),
    ("a role", f"IAM_ROLE '{first}' OPTIONS ({OWN})", {},
     [("KEYOFSCHEMA", None, first), ("KEYOFFIRST", "token of FIRST", None)]),
    ("roles in a chain", f"IAM_ROLE '{first},{second}'", FROM_ENVIRONMENT,
     [("KEYOFENVIRONMENT", None, first), ("KEYOFFIRST", "token of FIRST", second), ("KEYOFSECOND", "token of SECOND", None)]),
]:
    same(what, tables(f"s{checks}", more, environment), (SEEN, expected))
said = tables("nobody", "", {})
same(f"none: {said}", isinstance(said, str) and "credentials cannot be had" in said, True)
same("nothing was asked without", signed, [])
print(f"credentials: {checks} checks of who signs requests")
