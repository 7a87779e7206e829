"""Random SQL of Trino's dialect: typed expressions over columns of a few rows, aggregates, window functions.

The templates are trino_templates'. A column stands for itself or for its value in a row, so that an expression is tried over
rows and over constants.
"""

import dataclasses
import re

from trino_templates import AGGREGATES, CASTS, CONSTANTS, INEXACT, TEMPLATES, WINDOWS

# What a column holds, row by row. Rows 1 to 8 are plain, the others hold the ends of the types.
COLUMNS = {
    "boolean": [("b", "TRUE FALSE NULL TRUE FALSE TRUE NULL FALSE TRUE FALSE"), ("c", "FALSE TRUE TRUE NULL FALSE NULL NULL FALSE TRUE TRUE")],
    "tinyint": [("i1", "1 0 -1 NULL 7 5 12 -8 127 -128")],
    "smallint": [("i2", "3 -2 NULL 0 100 12 31 7 32767 -32768")],
    "integer": [("i4", "1 -2 0 3 NULL 17 42 -1 2147483647 -2147483648"), ("j4", "5 2 -3 0 1 NULL 10 4 -1 0")],
    "bigint": [("i8", "10 -1 0 NULL 1234567 86400 3 -7 9223372036854775807 -9223372036854775808")],
    "real": [("r", "1.5 -0.25 0 NULL 3.14 1e10 -7 100.125 3.4028235e38 nan()")],
    "double": [("f", "1.5 -0.75 0 NULL 3.25 1e10 100.125 -1e-5 1e308 nan()"), ("h", "2 -0.0 0.1 12.5 NULL 2.5 -2.5 1e-7 infinity() -infinity()")],
    "decimal": [("n", "1.50 -1.50 0.00 NULL 123.45 99999999.99 0.01 -0.05 12.50 -99999999.99"),
                ("m", "0.00001 -3.14159 NULL 2.50000 1000.00000 0.50000 -0.50000 7.00000 99999.99999 0.00000")],
    "varchar": [("t", ["'Alpha beta'", "''", "'grün ÄÖ ß'", "NULL", "'one,two,,four'", "'漢字 text'", "' padded '", "'a_b%c'", "'😀x'", "'e\u0301tude'"]),
                ("u", ["'a'", "'be'", "'Ü'", "'%'", "NULL", "','", "'  '", "'12'", "'x'", "'\u0301'"])],
    "char(5)": [("k", ["'a'", "'ab cd'", "''", "NULL", "' x'", "'ß'", "'abc'", "'漢'", "'12'", "'a  b'"])],
    "varbinary": [("x", ["X'616263'", "X''", "X'00'", "NULL", "X'C3BC'", "X'FF'", "X'0102030405060708'", "X'61'", "X'80000000'", "X'7FFFFFFFFFFFFFFF'"])],
    "date": [("d", "2020-02-29 1999-12-31 1970-01-01 NULL 2024-03-31 2016-02-29 1969-12-31 2021-01-03 9999-12-31 0001-01-01"),
             ("e", "2021-02-28 2000-01-01 NULL 1970-01-01 2024-01-31 2012-12-30 1900-03-01 2023-10-29 0001-01-01 9999-12-31")],
    "timestamp": [("s", "2020-02-29_12:34:56.789 1999-12-31_23:59:59.999 1970-01-01_00:00:00.000 NULL 2024-03-31_02:30:00.000 2016-12-30_06:00:00.500"
                        " 1969-12-31_23:59:59.999 2021-10-31_01:30:00.010 9999-12-31_23:59:59.999 0001-01-01_00:00:00.000"),
                  ("v", "2021-02-28_12:34:56.788 2000-01-01_00:00:00.000 NULL 1970-01-01_00:00:01.000 2024-01-31_18:30:00.000 2012-06-30_23:59:59.123"
                        " 1900-01-01_00:00:00.000 2023-10-29_01:00:00.000 0001-01-01_00:00:00.001 2020-01-01_00:00:00.000")],
    "timestamptz": [("z", "2020-02-29_12:34:56.789_Europe/Berlin 1999-12-31_23:59:59.999_Europe/Berlin 1970-01-01_00:00:00.000_Europe/Berlin NULL"
                          " 2024-03-31_03:30:00.000_Europe/Berlin 2016-12-30_06:00:00.500_Europe/Berlin 1969-12-31_23:59:59.999_Europe/Berlin"
                          " 2021-10-31_02:30:00.010_Europe/Berlin 2400-07-01_00:00:00.000_Europe/Berlin 1900-01-01_00:00:00.000_Europe/Berlin")],
    "time": [("w", "12:34:56.789 00:00:00.000 23:59:59.999 NULL 06:00:00.000 18:30:15.500 01:02:03.004 12:00:00.000 11:11:11.111 00:00:00.001")],
    "ids": [("q", ["'1' DAY", "'-2' HOUR", "'0' SECOND", "NULL", "'1 02:03:04.005' DAY TO SECOND", "'90' MINUTE", "'36' HOUR", "'-1 00:00:01' DAY TO SECOND",
                   "'3' DAY", "'0.001' SECOND"])],
    "iym": [("y", ["'1' YEAR", "'-2' MONTH", "'0' MONTH", "NULL", "'1-2' YEAR TO MONTH", "'14' MONTH", "'-1-1' YEAR TO MONTH", "'100' YEAR", "'1' MONTH", "'12' MONTH"])],
    "json": [("js", ["'{\"a\":1,\"b\":[1,2,{\"c\":null}]}'", "'[1,\"x\",null,true,2.5]'", "'null'", "NULL", "'\"text\"'", "'12'", "'{}'", "'[]'", "'-1.50e3'",
                     "'{\"a\":{\"b\":\"ü\"},\"x\":false}'"])],
    "array(integer)": [("ai", ["ARRAY[1, 2, 3]", "ARRAY[]", "ARRAY[NULL]", "NULL", "ARRAY[3, 1, NULL, 3, 2]", "ARRAY[-1]", "ARRAY[5, 5, 5]", "ARRAY[0, 10]",
                               "ARRAY[2147483647, 1]", "ARRAY[-2147483648]"])],
    "array(varchar)": [("av", ["ARRAY['a', 'b', 'c']", "ARRAY[]", "ARRAY[NULL, 'x']", "NULL", "ARRAY['b', 'a', '', 'b']", "ARRAY['ü', '漢', 'A']", "ARRAY['one']",
                               "ARRAY['1', '2']", "ARRAY['null', 'NULL']", "ARRAY['a,b', '{']"])],
    "array(double)": [("af", ["ARRAY[1.5, -2]", "ARRAY[]", "ARRAY[NULL, 0.5]", "NULL", "ARRAY[3, 3, 1]", "ARRAY[0.0]", "ARRAY[1, 2, 3, 4]", "ARRAY[-1e10]",
                              "ARRAY[nan(), 1]", "ARRAY[infinity()]"])],
    "map(varchar,integer)": [("mt", ["MAP(ARRAY['a', 'b'], ARRAY[1, 2])", "MAP()", "MAP(ARRAY['x'], ARRAY[NULL])", "NULL", "MAP(ARRAY['b', 'c', ''], ARRAY[20, NULL, 0])",
                                     "MAP(ARRAY['ü'], ARRAY[-1])", "MAP(ARRAY['a'], ARRAY[7])", "MAP(ARRAY['k1', 'k2', 'k3'], ARRAY[20, 3, 15])",
                                     "MAP(ARRAY['a'], ARRAY[2147483647])", "MAP(ARRAY['null'], ARRAY[0])"])],
    "map(integer,varchar)": [("mi", ["MAP(ARRAY[1, 2], ARRAY['a', 'b'])", "MAP()", "MAP(ARRAY[0], ARRAY[NULL])", "NULL", "MAP(ARRAY[3, 1], ARRAY['', 'x'])",
                                     "MAP(ARRAY[-1], ARRAY['ü'])", "MAP(ARRAY[10], ARRAY['a'])", "MAP(ARRAY[1], ARRAY['z'])", "MAP(ARRAY[2147483647], ARRAY['max'])",
                                     "MAP(ARRAY[5], ARRAY['five'])"])],
    "row(a integer,b varchar)": [("rw", ["ROW(1, 'x')", "ROW(NULL, 'y')", "ROW(0, NULL)", "NULL", "ROW(-5, '')", "ROW(2, 'ü')", "ROW(1, 'y')", "ROW(7, '漢')",
                                         "ROW(2147483647, 'max')", "ROW(NULL, NULL)"])],
}
PLAIN_ROWS, ROWS = 8, 10
# The groups of aggregates, and the order of windows.
GROUPS = "1 1 2 NULL 2 1 NULL 2 3 3".split()
ORDER = "2 2 5 1 NULL 3 1 2 8 NULL".split()

SQL_TYPES = {"char(5)": "char(5)", "decimal": "decimal(10,2)", "timestamp": "timestamp(3)", "timestamptz": "timestamp(3) with time zone", "time": "time(3)",
             "ids": "interval day to second", "iym": "interval year to month"}
NUMBERS = ["tinyint", "smallint", "integer", "bigint", "decimal", "real", "double"]
SCALARS = [*NUMBERS, "boolean", "varchar", "char(5)", "varbinary", "date", "timestamp", "timestamptz", "time", "ids", "iym", "json"]
# What has an order, what has equality, and what elements of arrays are.
ORDERED = [kind for kind in SCALARS if kind != "json"] + ["varchar", "varchar", "integer", "date", "timestamp", "array(integer)"]
COMPARED = [*SCALARS, "varchar", "integer", "array(varchar)", "array(integer)", "map(varchar,integer)", "row(a integer,b varchar)"]
ELEMENTS = ["integer", "integer", "varchar", "varchar", "double", "date", "bigint", "boolean", "decimal", "timestamp"]
KINDS = [*SCALARS, "varchar", "varchar", "varchar", "double", "bigint", "date", "timestamp", "boolean", "boolean", "array(integer)", "array(varchar)", "array(double)",
         "array(date)", "array(array(integer))", "map(varchar,integer)", "map(integer,varchar)", "row(a integer,b varchar)", "array(varchar)", "array(integer)", "integer"]


def sql_type(kind):
    if kind in SQL_TYPES:
        return SQL_TYPES[kind]
    found = re.fullmatch(r"array\((.*)\)", kind)
    if found:
        return f"array({sql_type(found[1])})"
    found = re.fullmatch(r"map\(([a-z]+),(.*)\)", kind)
    return f"map({found[1]},{sql_type(found[2])})" if found else kind


def written(kind, text):
    """A column's value as SQL."""
    if text == "NULL":
        return f"CAST(NULL AS {column_type(kind)})"
    if kind in ("tinyint", "smallint", "bigint", "decimal"):
        return f"{kind} '{text}'"
    if kind in ("real", "double") and text.endswith(")"):
        return f"CAST({text} AS real)" if kind == "real" else text
    if kind == "real":
        return f"REAL '{text}'"
    if kind == "double":
        return f"DOUBLE '{text}'"
    if kind == "integer":
        return f"CAST({text} AS integer)"
    if kind in ("date", "timestamp", "timestamptz", "time"):
        name = "timestamp" if kind == "timestamptz" else kind
        return f"{name.upper()} '{text.replace('_', ' ', 2 if kind == 'timestamptz' else 1)}'"
    if kind in ("ids", "iym"):
        found = re.fullmatch(r"'(-?)(.*)' (.*)", text)
        return f"(- INTERVAL '{found[2]}' {found[3]})" if found[1] else f"INTERVAL {text}"
    if kind == "json":
        return f"JSON {text}"
    if kind in ("varchar", "boolean"):
        return text
    if text == "MAP()":
        return f"CAST(JSON '{{}}' AS {column_type(kind)})"
    return f"CAST({text} AS {column_type(kind)})"


def column_type(kind):
    return "decimal(10,5)" if kind == "decimal5" else sql_type(kind)


def column_values():
    found = {}
    for kind, columns in COLUMNS.items():
        for name, values in columns:
            values = values.split() if isinstance(values, str) else values
            found[name] = [written("decimal5" if name == "m" and value == "NULL" else kind, value) for value in values]
    found["g"] = [written("integer", value) for value in GROUPS]
    found["o"] = [written("integer", value) for value in ORDER]
    return found


CELLS = column_values()


def table(columns, rows):
    """The rows as a relation `v`, with the columns that are used."""
    columns = sorted(columns)
    lines = ["(" + ", ".join([written("integer", str(row)), *(CELLS[name][row - 1] for name in columns)]) + ")" for row in rows]
    return f"(VALUES {', '.join(lines)}) AS v ({', '.join(['id', *columns])})"


@dataclasses.dataclass
class Expression:
    """A template with its parts, or a column. `free` are the variables of lambdas that it reads."""

    kind: str
    pattern: str
    parts: tuple = ()
    column: str = None
    free: frozenset = frozenset()
    level: str = "scalar"
    made_of: str = ""

    def text(self, row=None):
        if self.column and row is not None:
            return CELLS[self.column][row - 1]
        return re.sub(r"⟦(\d+)⟧", lambda found: self.parts[int(found[1])].text(row), self.pattern) if self.parts else self.pattern

    def columns(self):
        found = {self.column} if self.column else set()
        return found.union(*(part.columns() for part in self.parts))

    def with_part(self, at, part):
        parts = (*self.parts[:at], part, *self.parts[at + 1:])
        return dataclasses.replace(self, parts=parts)


def head(kind):
    """A kind with T for what stands in brackets, and what T is: `array(T)`."""
    found = re.fullmatch(r"array\((.*)\)", kind)
    if found:
        return "array(T)", {"T": found[1]}
    found = re.fullmatch(r"map\(([a-z]+),(.*)\)", kind)
    return ("map(K,V)", {"K": found[1], "V": found[2]}) if found else (kind, {})


class Grammar:
    """Expressions with `random`'s choices."""

    def __init__(self, random):
        self.random = random
        self.named = 0

    def any(self, depth):
        return self.make(self.random.choice(KINDS), depth, {}, True)

    def make(self, kind, depth, scope, top=False):
        if depth <= 0 or self.random.random() < 0.1:
            return self.leaf(kind, scope)
        exact, bound = head(kind)
        choices = [(template, {"T": kind}) for template in TEMPLATES["T"]] if self.random.random() < 0.15 else []
        choices = choices or [(template, {"T": kind}) for template in TEMPLATES.get(kind, ())]
        if exact != kind:
            choices += [(template, bound) for template in TEMPLATES.get(exact, ())]
        if kind in NUMBERS and self.random.random() < 0.4:
            choices = [(template, {"T": kind}) for template in TEMPLATES["N"]]
        if top and kind in INEXACT and self.random.random() < 0.35:
            choices = [(template, {"T": kind}) for template in INEXACT[kind]]
        if not choices:
            return self.leaf(kind, scope)
        return self.fill(kind, *self.random.choice(choices), depth, scope)

    def fill(self, kind, template, bound, depth, scope, level="scalar"):
        """A template's value, with parts of a lower depth."""
        bound, parts = dict(bound), []
        names = {name: self.variable() for name in dict.fromkeys(re.findall(r"\$(\w)\b", template))}

        def place(found):
            wanted, _, variables = found[1].partition("|")
            if wanted[0] == "#":
                return self.random.choice(CONSTANTS[wanted[1:]])
            inner = dict(scope)
            for variable in filter(None, variables.split(";")):
                name, _, its = variable.partition(":")
                inner[names[name]] = self.bind(its, bound)
            parts.append(self.make(self.bind(wanted, bound, kind), depth - 1, inner))
            return f"⟦{len(parts) - 1}⟧"

        pattern = re.sub(r"\$(\w)\b", lambda found: names[found[1]], template)
        pattern = re.sub(r"<(T|varchar|decimal|timestamp)>", lambda found: self.cast_type(bound["T"] if found[1] == "T" else found[1]), pattern)
        pattern = re.sub(r"\{([^{}]+)\}", place, pattern)
        free = frozenset().union(*(part.free for part in parts)) - set(names.values())
        return Expression(kind, pattern, tuple(parts), free=free, level=level, made_of=label(template, bound, parts))

    def variable(self):
        self.named += 1
        return f"x{self.named}"

    def cast_type(self, kind):
        """A type of a kind; of some there are several."""
        return self.random.choice({
            "decimal": ["decimal(10,2)", "decimal(5,0)", "decimal(38,10)", "decimal(20,5)", "decimal(3,1)"],
            "varchar": ["varchar", "varchar", "varchar", "varchar(3)", "varchar(30)"],
            "timestamp": ["timestamp(3)", "timestamp(3)", "timestamp", "timestamp(0)"],
        }.get(kind, [sql_type(kind)]))

    def bind(self, kind, bound, own=None):
        """A kind whose letters are bound, now if they were not yet."""
        if kind == "LESS":
            return self.random.choice(NUMBERS[: NUMBERS.index(own) + 1])
        if kind == "FROM":
            return self.random.choice(CASTS[own])
        if kind in ("NUMBER", "ANY"):
            return self.random.choice(NUMBERS if kind == "NUMBER" else SCALARS)

        def one(found):
            name = found[0]
            if name not in bound:
                bound[name] = self.random.choice({"K": ["integer", "varchar", "varchar"], "O": ORDERED, "E": COMPARED}.get(name, ELEMENTS))
            return bound[name]

        return re.sub(r"\b[TUKVOE]\b", one, kind)

    def leaf(self, kind, scope):
        random = self.random
        variables = [name for name, its in scope.items() if its == kind]
        if variables and random.random() < 0.75:
            name = random.choice(variables)
            return Expression(kind, name, free=frozenset([name]), made_of="a variable")
        columns = [name for name, _ in COLUMNS.get(kind, ())]
        if columns and random.random() < 0.6:
            name = random.choice(columns)
            return Expression(kind, name, column=name, made_of="a column")
        return Expression(kind, self.constant(kind), made_of="a constant")

    def constant(self, kind):
        random = self.random
        if random.random() < 0.06:
            return written(kind, "NULL")
        if kind in CONSTANTS:
            return random.choice(CONSTANTS[kind])
        exact, bound = head(kind)
        if exact == "array(T)":
            count = random.choice([0, 1, 1, 2, 3])
            inner = [self.constant(bound["T"]) for _ in range(count)]
            return f"ARRAY[{', '.join(inner)}]" if inner else f"CAST(ARRAY[] AS {sql_type(kind)})"
        if exact == "map(K,V)":
            keys = random.sample([key for key in CONSTANTS[bound["K"]] if "NULL" not in key], random.choice([0, 1, 2]))
            if not keys:
                return f"CAST(JSON '{{}}' AS {sql_type(kind)})"
            return f"MAP(ARRAY[{', '.join(keys)}], ARRAY[{', '.join(self.constant(bound['V']) for _ in keys)}])"
        raise KeyError(kind)

    def aggregate(self, depth):
        return self.fill("ANY", self.random.choice(AGGREGATES), {}, depth, {}, "aggregate")

    def window(self, depth):
        return self.fill("ANY", self.random.choice(WINDOWS), {}, depth, {}, "window")


def label(template, bound, parts):
    """What a template is, for what is found to be told apart: its function or operator, and the kinds of its parts."""
    text = re.sub(r"<T>", bound.get("T", ""), re.sub(r"\{[^{}]+\}", "_", template))
    return text + (" of " + ", ".join(part.kind for part in parts) if 0 < len(parts) < 4 else "")
