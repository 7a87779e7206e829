"""A client of Trino's HTTP protocol, and its values beside what the wire says: both in one normal form, as Trino's type has it.

A value is None, bool, int, Decimal, float, text, bytes, a list of an array's elements, a tuple of a row's fields, or a
dictionary's pairs. Dates and times are texts without needless zeros, moments with a zone are in UTC; an interval is
milliseconds, or months.
"""

import base64
import dataclasses
import datetime
import decimal
import json
import math
import re
import time
import urllib.error
import urllib.request
import zoneinfo

NO_TABLE = {"TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND", "MISSING_CATALOG_NAME", "MISSING_SCHEMA_NAME"}


@dataclasses.dataclass
class Outcome:
    """Rows and their columns' types, or an error: its code, its message, and whether it was found before anything ran."""

    rows: list = None
    types: list = None
    code: str = None
    message: str = None
    static: bool = False

    def __str__(self):
        if self.code:
            return f"error {self.code}: {self.message}"
        rows = [", ".join(str(value) for value in row) for row in self.rows]
        return rows[0] if len(rows) == 1 else f"{rows}"


class Trino:
    """A session without catalog; its zone is UTC."""

    def __init__(self, url):
        self.url = url
        self.headers = {"X-Trino-User": "millrace", "X-Trino-Time-Zone": "UTC", "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
                        "X-Trino-Session": "query_max_run_time=60s"}

    def ask(self, url, data=None):
        for attempt in range(5):
            try:
                with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=self.headers), timeout=120) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                # It is asked again then, as the protocol says.
                if error.code not in (502, 503, 504) or attempt == 4:
                    raise
                time.sleep(0.1)

    def run(self, text):
        answer = self.ask(f"{self.url}/v1/statement", text.encode())
        columns, rows = None, []
        while True:
            if "error" in answer:
                error = answer["error"]
                message = error["message"].split("\n")[0]
                # What was found before anything ran has a place in the statement.
                static = re.match(r"line \d+:\d+: ", message) is not None or error["errorName"] == "NOT_SUPPORTED"
                return Outcome(code=error["errorName"], message=message, static=static)
            columns = answer.get("columns", columns)
            rows += answer.get("data", [])
            if "nextUri" not in answer:
                break
            answer = self.ask(answer["nextUri"])
        return Outcome(rows=rows, types=[column["typeSignature"] for column in columns or []])


def argument(signature, at):
    return signature["arguments"][at]["value"]


def fields(signature):
    return [(part["value"].get("fieldName") or {}).get("name") for part in signature["arguments"]], [part["value"]["typeSignature"] for part in signature["arguments"]]


def type_name(signature):
    """Trino's name of a type, as typeof has it here: texts have no lengths, moments no digits, rows' names are left out where Trino has none."""
    name = signature["rawType"]
    if name == "row":
        names, types = fields(signature)
        return "row(" + ", ".join(f"{field} {type_name(kind)}" if field else type_name(kind) for field, kind in zip(names, types)) + ")"
    if name in ("array", "map"):
        return f"{name}(" + ", ".join(type_name(argument(signature, at)) for at in range(len(signature["arguments"]))) + ")"
    if name == "decimal":
        return f"decimal({argument(signature, 0)},{argument(signature, 1)})"
    if name == "char":
        return f"char({argument(signature, 0)})"
    return name


def our_type_name(name):
    """A name that typeof gives, in the same form."""
    return re.sub(r"\b(timestamp|time)\(\d\)", r"\1", re.sub(r"\bc\d+ ", "", re.sub(r"decimal\((\d+), ?(\d+)\)", r"decimal(\1,\2)", name)))


def theirs(value, signature):
    """A value of Trino's JSON."""
    name = signature["rawType"]
    if value is None or name == "unknown":
        return None
    if name == "array":
        return [theirs(element, argument(signature, 0)) for element in value]
    if name == "map":
        return pairs((theirs(key, argument(signature, 0)), theirs(element, argument(signature, 1))) for key, element in value.items())
    if name == "row":
        return tuple(theirs(element, kind) for element, kind in zip(value, fields(signature)[1]))
    if name == "varbinary":
        return base64.b64decode(value)
    if name == "timestamp with time zone":
        moment, zone = value.rsplit(" ", 1)
        return in_utc(moment, zone)
    if name == "interval day to second":
        sign, days, hours, minutes, seconds, millis = re.fullmatch(r"(-?)(\d+) (\d+):(\d+):(\d+)\.(\d+)", value).groups()
        span = (((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(millis)
        return -span if sign else span
    if name == "interval year to month":
        sign, years, months = re.fullmatch(r"(-?)(\d+)-(\d+)", value).groups()
        return -(int(years) * 12 + int(months)) if sign else int(years) * 12 + int(months)
    return scalar(value, name)


def scalar(value, name):
    """A value that both write alike: Trino's JSON, or the wire's text."""
    if name == "boolean":
        return {"t": True, "true": True, "f": False, "false": False}[str(value).lower()]
    if name in ("tinyint", "smallint", "integer", "bigint"):
        return int(value)
    if name == "decimal":
        return decimal.Decimal(value)
    if name in ("real", "double"):
        return float(value)
    if name == "date":
        return years(str(value))
    if name == "timestamp":
        return moment_text(str(value))
    if name in ("time", "time with time zone"):
        return re.sub(r"\.(\d*?)0+(?=$|[+-])", r".\1", str(value)).rstrip(".").replace(".+", "+")
    return str(value)


def years(text):
    """A date with its year counted as ISO 8601 does."""
    if text.endswith(" BC"):
        year, rest = text[:-3].split("-", 1)
        text = f"{1 - int(year):05d}-{rest}" if int(year) > 1 else f"0000-{rest}"
    return text.lstrip("+")


def moment_text(text):
    text = years(text.replace("T", " "))
    return text.rstrip("0").rstrip(".") if "." in text else text


def in_utc(moment, zone):
    """A moment that clocks of a zone show, as those of UTC do."""
    if zone in ("UTC", "Z", "GMT", "UCT"):
        return moment_text(moment)
    found = re.fullmatch(r"([+-])(\d\d):?(\d\d)?", zone)
    written = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+)?", moment.replace("T", " "))
    if written is None:
        return f"{moment_text(moment)} {zone}"
    clock = datetime.datetime.fromisoformat(written[1])
    try:
        if found:
            offset = datetime.timedelta(hours=int(found[2]), minutes=int(found[3] or 0)) * (-1 if found[1] == "-" else 1)
        else:
            offset = clock.replace(tzinfo=zoneinfo.ZoneInfo(zone)).utcoffset()
        clock -= offset
    except (OverflowError, zoneinfo.ZoneInfoNotFoundError):
        return f"{moment_text(moment)} {zone}"
    return moment_text(f"{clock.year:04d}{clock:-%m-%d %H:%M:%S}{written[2] or ''}")


UNITS = {"year": 12, "years": 12, "mon": 1, "mons": 1, "day": 86_400_000, "days": 86_400_000}


def interval(text):
    """PostgreSQL's text of an interval that has only months, or none."""
    whole = 0
    for number, unit in re.findall(r"([+-]?\d+) ([a-z]+)", text):
        whole += int(number) * UNITS[unit]
    clock = re.search(r"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?", text)
    if clock:
        sign, hours, minutes, seconds, fraction = clock.groups()
        span = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int((fraction or "0").ljust(3, "0")[:3])
        whole += -span if sign else span
    return whole


def ours(text, signature):
    """A text of the wire, whose lists are PostgreSQL's arrays or JSON, its maps and rows JSON."""
    if text is None:
        return None
    name = signature["rawType"]
    if name == "array" and text.startswith("{"):
        return [ours(element, argument(signature, 0)) for element in elements(text)]
    if name in ("array", "map", "row"):
        return within(json.loads(text, parse_float=decimal.Decimal, object_pairs_hook=Pairs), signature)
    return leaf(text, signature)


class Pairs(list):
    """An object's members, in their order."""


def within(value, signature):
    """A value of the wire's JSON."""
    name = signature["rawType"]
    if value is None:
        # JSON has no NaN.
        return None
    if name == "array":
        return [within(element, argument(signature, 0)) for element in value]
    if name == "map":
        return pairs((leaf(key, argument(signature, 0)), within(element, argument(signature, 1))) for key, element in value)
    if name == "row":
        return tuple(within(element, kind) for (_, element), kind in zip(value, fields(signature)[1]))
    return leaf(value, signature)


def leaf(value, signature):
    name = signature["rawType"]
    text = str(value)
    if name == "varbinary":
        return bytes.fromhex(text.removeprefix("\\x"))
    if name == "timestamp with time zone":
        found = re.fullmatch(r"(.*?\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d(?::?\d\d)?)( BC)?", text)
        return in_utc(found[1] + (found[3] or ""), "UTC" if re.fullmatch(r"[+-]00(:?00)?", found[2]) else found[2])
    if name.startswith("interval"):
        return interval(text)
    return scalar(value, name)


def elements(text):
    """The elements of PostgreSQL's text of an array."""
    found, at = [], 1
    while text[at] != "}":
        if text[at] == ",":
            at += 1
        if text[at] == '"':
            end = at + 1
            while text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            found.append(re.sub(r"\\(.)", r"\1", text[at + 1:end], flags=re.S))
            at = end + 1
        elif text[at] == "{":
            depth, end = 0, at
            while True:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
                if depth == 0:
                    break
            found.append(text[at:end])
            at = end
        else:
            end = min(place for place in (text.find(",", at), text.find("}", at)) if place >= 0)
            found.append(None if text[at:end] == "NULL" else text[at:end])
            at = end
    return found


def pairs(entries):
    """A map's entries in the order of their keys."""
    return {"map": sorted(entries, key=lambda entry: repr(entry[0]))}


def same(a, b, precise=1e-9):
    """Whether two values are equal, doubles nearly."""
    if a is None or b is None:
        return a is b
    if isinstance(a, float) or isinstance(b, float):
        a, b = float(a), float(b)
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return a == b or abs(a - b) <= precise * max(abs(a), abs(b), 1e-3)
    if isinstance(a, dict) and isinstance(b, dict):
        return same(a["map"], b["map"], precise)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y, precise) for x, y in zip(a, b))
    return a == b


def precision(signature):
    """How near doubles have to be."""
    return 1e-5 if "real" in type_name(signature) else 1e-9


def without_nan(value, signature):
    """A value whose doubles within maps and rows, which are JSON on the wire, are NULL where JSON cannot write them."""
    def inner(part, deep):
        if isinstance(part, float) and deep and not math.isfinite(part):
            return None
        if isinstance(part, dict):
            return {"map": [(key, inner(element, True)) for key, element in part["map"]]}
        if isinstance(part, tuple):
            return tuple(inner(element, True) for element in part)
        return [inner(element, deep) for element in part] if isinstance(part, list) else part

    return inner(value, type_name(signature).startswith("array(") and re.search(r"array\((array|map|row)", type_name(signature)) is not None)
