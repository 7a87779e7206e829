"""Random SQL that Redshift and PostgreSQL have in common: typed expressions, and queries over three small tables.

An expression has two spellings. Where Redshift defines a result otherwise than PostgreSQL, PostgreSQL is asked what Redshift
defines; each such place says why. What may fail at run time (overflow, division, casts of texts) stands only where both
programs must compute it: not behind AND or OR, whose order of evaluation SQL leaves open.
"""

import dataclasses

# Kinds of values: whole numbers, decimals, doubles, texts, dates, timestamps, truth values.
KINDS = "inftdsb"
TYPES = {"i": "bigint", "n": "numeric(18,4)", "f": "float8", "t": "varchar(60)", "d": "date", "s": "timestamp", "b": "boolean"}

VALUES_COLUMNS = ("id int, i2 smallint, i4 int, i8 bigint, n numeric(18,4), m numeric(9,2), f float8, t varchar(40), u varchar(40),"
                  " d date, e date, ts timestamp, us timestamp, b boolean, c boolean")
COLUMNS = {"i": ["i2", "i4", "i8"], "n": ["n", "m"], "f": ["f"], "t": ["t", "u"], "d": ["d", "e"], "s": ["ts", "us"], "b": ["b", "c"]}
DIGITS = {"n": (18, 4), "m": (9, 2)}
# Rows 1 to 12 are plain, with NULLs; later ones hold the ends of the types.
VALUES_ROWS = [
    (1, 1, 10, 100, "1.5000", "2.25", "0.5", "Alpha beta", "a", "2020-02-29", "1999-12-31", "2020-02-29 12:34:56.789", "2001-01-01 00:00:00", True, False),
    (2, -2, -20, -200, "-1.5000", "-2.25", "-0.75", "gamma", "mm", "2000-01-01", "2000-01-02", "1999-12-31 23:59:59.999999", "2000-01-01 00:00:01", False, True),
    (3, 0, 0, 0, "0.0000", "0.00", "0", "", "x", "1970-01-01", "1970-01-01", "1970-01-01 00:00:00", "1970-01-01 00:00:00", True, True),
    (4, 7, 3, 5, "12345.6789", "999.99", "3.25", "Grün ÄÖ ß", "ü", "2024-12-31", "2023-01-31", "2024-12-30 06:00:00", "2024-02-29 18:30:00", False, False),
    (5, None, None, None, None, None, None, None, None, None, None, None, None, None, None),
    (6, 5, None, 12, "0.0001", None, "100.125", "one,two,,four", None, "2011-07-21", None, "2011-07-21 10:32:38.5", None, None, True),
    (7, None, 17, None, None, "10.10", None, None, "b-c", None, "2012-08-15", None, "2012-08-15 23:00:00", True, None),
    (8, 100, 42, 1000000, "99.9999", "0.01", "2e10", " padded ", "  ", "1995-06-15", "1996-06-15", "1995-06-15 00:00:00", "1996-06-16 01:02:03", False, True),
    (9, 12, 12, 12, "12.0000", "12.00", "12", "a_b%c", "%", "2030-10-10", "2030-10-09", "2030-10-10 10:10:10.1", "2030-10-09 09:09:09", True, True),
    (10, -1, 2147, -214748, "-0.5000", "0.50", "-1e-5", "UPPER lower", "PE", "2001-03-31", "2001-02-28", "2001-03-31 03:31:00", "2001-02-28 23:59:59", False, False),
    (11, 31, 365, 31536000, "3.1416", "2.72", "3.141592653589793", "it's", "'", "2016-02-29", "2017-02-28", "2016-02-29 00:00:00.000001", "2017-02-28 12:00:00", True, False),
    (12, 9, 81, 6561, "9.9999", "9.99", "9.5", "日本語 text", "本", "1988-08-08", "1988-09-09", "1988-08-08 08:08:08", "1988-09-09 09:09:09.000009", False, None),
    (13, 32767, 2147483647, 9223372036854775807, "99999999999999.9999", "9999999.99", "1e308", "z" * 40, "zz", "9999-12-31", "9999-12-30", "9999-12-31 23:59:59.999999", "9999-12-31 00:00:00", True, True),
    (14, -32768, -2147483648, -9223372036854775808, "-99999999999999.9999", "-9999999.99", "-1e308", "~" * 40, "~", "0001-01-01", "0001-01-02", "0001-01-01 00:00:00", "0001-01-01 00:00:00.000001", False, False),
    (15, 1, 1, 1, "0.0001", "0.01", "1e-300", "a", "A", "1582-10-15", "1600-02-29", "1582-10-04 01:00:00", "1900-02-28 23:59:59", True, False),
]
PLAIN_ROWS = 12

# The tables of queries: small domains, so that joins meet, with NULLs and equal rows.
QUERY_COLUMNS = "id int, k int, g int, x bigint, n numeric(10,2), s varchar(10), d date, b boolean"
QUERY_TABLES = {"a": 30, "b": 20, "c": 9}
QUERY_KINDS = {"id": "i", "k": "i", "g": "i", "x": "i", "n": "n", "s": "t", "d": "d", "b": "b"}


def query_rows(random, count):
    def maybe(value, share=0.15):
        return None if random.random() < share else value

    return [(at, maybe(random.randint(0, 12)), maybe(random.randint(0, 3)), maybe(random.randint(-50, 50)),
             maybe(f"{random.randint(-999, 999) / 100:.2f}"), maybe(random.choice(["", "a", "b", "B", "ab", "ü"])),
             maybe(f"2020-0{random.randint(1, 3)}-1{random.randint(0, 4)}"), maybe(random.random() < 0.5, 0.2))
            for at in range(count)]


@dataclasses.dataclass
class Expression:
    """A value in both spellings. `digits` are a decimal's precision and scale; `loose` allows one unit of the last digit."""

    ours: str
    theirs: str
    kind: str
    parts: tuple = ()
    digits: tuple = (38, 10)
    loose: bool = False
    # Its text does not depend on how many zeros stand at a decimal's end.
    plain: bool = True


def both(kind, text, **more):
    return Expression(text, text, kind, **more)


def bare(part):
    """What is compared: Redshift leaves blanks at the ends of texts out of account."""
    return dataclasses.replace(part, theirs=f"rtrim({part.theirs}, ' ')") if part.kind == "t" else part


class Grammar:
    """Expressions over `columns` (by kind, names as they are written)."""

    def __init__(self, random, columns=None, digits=None):
        self.random = random
        self.columns = COLUMNS if columns is None else columns
        self.digits = DIGITS if digits is None else digits

    def any(self, depth, safe=False):
        return self.make(self.random.choice("iiinnfttttdssbbb"), depth, safe)

    def make(self, kind, depth, safe=False):
        """A value of a kind; a safe one cannot fail on plain rows."""
        if depth <= 0 or self.random.random() < 0.12:
            return self.leaf(kind)
        if self.random.random() < 0.18:
            return self.conditional(kind, depth, safe)
        return getattr(self, KIND_NAMES[kind])(depth - 1, safe)

    def leaf(self, kind):
        random = self.random
        if self.columns.get(kind) and random.random() < 0.7:
            name = random.choice(self.columns[kind])
            return both(kind, name, digits=self.digits.get(name, (38, 10)))
        if random.random() < 0.08:
            return both(kind, f"CAST(NULL AS {TYPES[kind]})", digits=(18, 4))
        if kind == "n":
            text = random.choice(["1.5", "0.01", "-2.25", "100.00", "0.5", "-0.5", "3.14159", "0.0", "99.995"])
            digits = text.lstrip("-")
            scale = len(digits.partition(".")[2])
            return both("n", f"({text})" if text[0] == "-" else text, digits=(len(digits), scale))
        literals = {
            "i": ["0", "1", "2", "3", "7", "10", "100", "(-1)", "(-5)", "12", "2147483647", "4294967296"],
            "f": ["1.5e0", "CAST(2 AS float8)", "0e0", "(-2.5e0)", "1e-3", "CAST('0.1' AS float8)", "1e10"],
            "t": ["''", "'a'", "'abc'", "'A'", "'Beta'", "' b '", "'ü'", "'12'", "'%'", "'a,b,c'", "'日本'"],
            "d": ["DATE '2020-02-29'", "DATE '1999-12-31'", "DATE '1970-01-01'", "DATE '2024-03-10'", "CAST('2001-09-09' AS date)"],
            "s": ["TIMESTAMP '2020-02-29 12:00:00'", "TIMESTAMP '1969-12-31 23:59:59.5'", "TIMESTAMP '2000-01-01 00:00:00'",
                  "CAST('2012-06-30 23:59:59.123456' AS timestamp)"],
            "b": ["TRUE", "FALSE"],
        }
        return both(kind, random.choice(literals[kind]))

    def call(self, kind, text, *parts, theirs=None, **more):
        """A template filled with the parts; `theirs` where PostgreSQL's spelling is another."""
        return Expression(text.format(*(part.ours for part in parts)),
                          (theirs or text).format(*(part.theirs for part in parts)), kind, parts, **more)

    def pick(self, *choices):
        return self.random.choice(choices)()

    def number(self, low, high):
        value = self.random.randint(low, high)
        return f"({value})" if value < 0 else str(value)

    def conditional(self, kind, depth, safe):
        """CASE and its kin, which all kinds have."""
        one = lambda: self.make(kind, depth - 1, safe)
        digits = lambda *parts: dict(plain=False, digits=widest(*parts), loose=any(part.loose for part in parts))

        def case():
            condition, a, b = self.make("b", depth - 1, safe), one(), one()
            return self.call(kind, "CASE WHEN {0} THEN {1} ELSE {2} END", condition, a, b, **digits(a, b))

        def simple_case():
            sought = self.random.choice("itd")
            value, match, a, b = self.make(sought, depth - 1, safe), self.leaf(sought), one(), one()
            return self.call(kind, "CASE {0} WHEN {1} THEN {2} ELSE {3} END", bare(value), bare(match), a, b, **digits(a, b))

        def named(name):
            a, b = one(), one()
            return self.call(kind, name + "({0}, {1})", a, b, **digits(a, b))

        def nullif():
            a, b = one(), one()
            theirs = "CASE WHEN {2} = {3} THEN NULL ELSE {0} END" if kind == "t" else None
            return self.call(kind, "nullif({0}, {1})", a, b, bare(a), bare(b), theirs=theirs, **digits(a, b))

        choices = [case, case, simple_case, lambda: named("coalesce"), nullif]
        if kind != "b":
            choices += [lambda: named("greatest"), lambda: named("least")]
        # nvl and nvl2 are Redshift's names of what PostgreSQL says in other words.
        choices.append(lambda: (lambda a, b: self.call(kind, "nvl({0}, {1})", a, b, theirs="coalesce({0}, {1})", **digits(a, b)))(one(), one()))
        choices.append(lambda: (lambda a, b, c: self.call(kind, "nvl2({0}, {1}, {2})", a, b, c, theirs="CASE WHEN {0} IS NOT NULL THEN {1} ELSE {2} END",
                                                          **digits(b, c)))(self.leaf(self.random.choice("itd")), one(), one()))
        return self.pick(*choices)

    def whole(self, depth, safe):
        random, call = self.random, self.call
        i, t, d, s = ((lambda kind: lambda: self.make(kind, depth, safe))(kind) for kind in "itds")
        part = lambda: random.choice(["year", "month", "day", "dow", "doy", "week", "quarter", "hour", "minute"])

        def extract():
            name = part()
            moment = s() if name in ("hour", "minute") else random.choice([d, s])()
            # Redshift's parts are whole numbers, PostgreSQL's are numeric (or double) since 14.
            return call("i", f"extract({name} FROM {{0}})", moment, theirs=f"CAST(extract({name} FROM {{0}}) AS int)")

        def boundaries():
            name, a, b = random.choice(["year", "month", "day"]), d(), d()
            # PostgreSQL has no datediff.
            theirs = {
                "year": "CAST(extract(year FROM {1}) - extract(year FROM {0}) AS int)",
                "month": "CAST((extract(year FROM {1}) - extract(year FROM {0})) * 12 + extract(month FROM {1}) - extract(month FROM {0}) AS int)",
                "day": "({1} - {0})",
            }
            return call("i", f"datediff({name}, {{0}}, {{1}})", a, b, theirs=theirs[name])

        safe_ones = [
            lambda: call("i", "length({0})", t()), lambda: call("i", "octet_length({0})", t()), lambda: call("i", "strpos({0}, {1})", t(), t()),
            lambda: call("i", "position({0} IN {1})", t(), t()), lambda: call("i", "char_length({0})", t()), lambda: call("i", "ascii({0})", t()),
            extract, extract, boundaries, lambda: call("i", "({0} - {1})", d(), d()),
            lambda: call("i", "regexp_count({0}, '[a-m]')", t()), lambda: call("i", "regexp_instr({0}, '[n-z]+')", t()),
            lambda: call("i", "({0} & {1})", i(), i()), lambda: call("i", "({0} | {1})", i(), i()), lambda: call("i", "({0} # {1})", i(), i()),
            lambda: call("i", "(~ {0})", i()),
            lambda: call("i", "CAST({0} AS int)", self.make("b", depth, safe)),
            # Redshift's CHARINDEX is strpos with its arguments turned.
            lambda: call("i", "charindex({0}, {1})", t(), t(), theirs="strpos({1}, {0})"),
            # PostgreSQL has no SIGN of whole numbers: its result is a double there.
            lambda: call("i", "sign({0})", i(), theirs="CAST(sign({0}) AS int)"),
        ]
        if safe:
            return self.pick(*safe_ones)
        risky = [
            *(lambda op=op: call("i", f"({{0}} {op} {{1}})", i(), i()) for op in "++--*/%"),
            lambda: call("i", "mod({0}, {1})", i(), i()), lambda: call("i", "abs({0})", i()), lambda: call("i", "(- {0})", i()),
            lambda: call("i", f"CAST({{0}} AS {random.choice(['smallint', 'int', 'bigint'])})", self.make("n", depth)),
            lambda: call("i", f"CAST({{0}} AS {random.choice(['smallint', 'int', 'bigint'])})", i()),
            lambda: call("i", "CAST({0} AS int)", both("t", random.choice(["'12'", "' 7'", "'-3'", "'x'", "'2147483648'", "'+5'", "'1x'", "u"]))),
            # Doubles round halves away from zero here, to the even neighbour in PostgreSQL.
            lambda: call("i", "CAST({0} AS bigint)", self.make("f", depth), theirs="CAST(trunc({0} + sign({0}) * 0.5) AS bigint)"),
        ]
        return self.pick(*risky, *risky, *safe_ones)

    def decimal(self, depth, safe):
        random, call = self.random, self.call
        n = lambda: self.make("n", depth, safe)

        def sum_(op):
            a, b = n(), n()
            digits = widest(a, b)
            a, b = (self.narrow(value, 20, 6) for value in (a, b)) if digits[0] > 36 else (a, b)
            precision, scale = widest(a, b)
            return call("n", f"({{0}} {op} {{1}})", a, b, digits=(precision + 1, scale), loose=a.loose or b.loose)

        def product():
            a, b = n(), n()
            if a.digits[0] + b.digits[0] > 37 or a.loose or b.loose:
                a, b = self.narrow(a, 12, 4), self.narrow(b, 12, 2)
            return call("n", "({0} * {1})", a, b, digits=(a.digits[0] + b.digits[0], a.digits[1] + b.digits[1]))

        def mixed():
            a, b = self.make("i", depth, safe), self.narrow(n(), 12, 4)
            return call("n", f"({{0}} {random.choice('+-*')} {{1}})", a, b, digits=(32, b.digits[1]), plain=False)

        def rounded(name):
            a, count = n(), self.number(-1, 3)
            return call("n", f"{name}({{0}}, {count})", a, digits=(min(38, a.digits[0] + 1), a.digits[1]), plain=False, loose=a.loose)

        def whole(name):
            a = n()
            return call("n", f"{name}({{0}})", a, digits=(min(38, a.digits[0] + 1), a.digits[1]), plain=False, loose=a.loose)

        def modulo():
            a, b = self.narrow(n(), 12, 4), self.narrow(n(), 12, 2)
            return call("n", random.choice(["mod({0}, {1})", "({0} % {1})"]), a, b, digits=(14, 4))

        def quotient():
            # The scale of a quotient is Redshift's own, and what lies behind it is cut.
            a, b = self.narrow(n(), 12, 4), self.narrow(n(), 12, 2)
            return call("n", "({0} / {1})", a, b, digits=(38, 20), loose=True, plain=False)

        safe_ones = [lambda: whole("abs"), lambda: whole("ceil"), lambda: whole("floor"), lambda: whole("sign"), lambda: rounded("round"),
                     lambda: rounded("trunc"), lambda: whole("trunc"), lambda: whole("round"), lambda: whole("- ")]
        if safe:
            return self.pick(*safe_ones)
        return self.pick(*safe_ones, *[lambda: sum_("+"), lambda: sum_("-"), product, product, mixed, modulo, quotient] * 2,
                         lambda: self.cast(self.make("i", depth), 18, 4), lambda: self.cast(n(), 12, 1), lambda: self.cast(n(), 20, 6),
                         lambda: self.cast(both("t", random.choice(["'12.345'", "' -7.5 '", "'1e2'", "'.5'", "'x'", "'9999999999999'"])), 14, 2))

    def cast(self, value, precision, scale):
        return self.call("n", f"CAST({{0}} AS numeric({precision},{scale}))", value, digits=(precision, scale), loose=value.loose)

    def narrow(self, value, precision, scale):
        """A decimal of so few digits that what is computed of it has no more than 38; no cast of a cut value, which rounds."""
        if value.kind == "n" and value.digits[0] <= precision and not value.loose:
            return value
        return self.cast(self.leaf("n") if value.loose else value, precision, scale)

    def double(self, depth, safe):
        random, call = self.random, self.call
        f = lambda: self.make("f", depth, safe)
        safe_ones = [
            lambda: call("f", "CAST({0} AS float8)", self.make("i", depth, safe)), lambda: call("f", "CAST({0} AS float8)", self.strict_decimal(depth, safe)),
            lambda: call("f", "abs({0})", f()), lambda: call("f", "floor({0})", f()), lambda: call("f", "ceil({0})", f()), lambda: call("f", "trunc({0})", f()),
            lambda: call("f", "(- {0})", f()), lambda: call("f", "sqrt(abs({0}))", f()), lambda: call("f", "cbrt({0})", f()),
            lambda: call("f", "atan({0})", f()), lambda: call("f", "sign({0})", f()), lambda: call("f", "radians({0})", f()),
            lambda: call("f", "sin({0})", self.leaf("f")), lambda: call("f", "cos({0})", self.leaf("f")),
            lambda: call("f", "round({0})", f(), theirs="trunc({0} + sign({0}) * 0.5)"),
        ]
        if safe:
            return self.pick(*safe_ones)
        return self.pick(*safe_ones, *(lambda op=op: call("f", f"({{0}} {op} {{1}})", f(), f()) for op in "+-*//"),
                         lambda: call("f", "ln({0})", f()), lambda: call("f", "log({0})", f()), lambda: call("f", "exp({0})", self.leaf("f")),
                         lambda: call("f", "sqrt({0})", f()), lambda: call("f", "power({0}, " + random.choice(["2", "0.5e0", "3", "0"]) + ")", f()),
                         lambda: call("f", "degrees({0})", f()), lambda: call("f", "asin({0})", f()), lambda: call("f", "acos({0})", f()),
                         lambda: call("f", "atan2({0}, {1})", f(), f()),
                         lambda: call("f", "CAST({0} AS float8)", both("t", random.choice(["'1.5'", "'-2e3'", "'x'", "' 4 '", "''"]))))

    def strict_decimal(self, depth, safe):
        value = self.make("n", depth, safe)
        return self.leaf("n") if value.loose else value

    def text(self, depth, safe):
        random, call = self.random, self.call
        t, d, s = ((lambda kind: lambda: self.make(kind, depth, safe))(kind) for kind in "tds")
        some = lambda: both("t", random.choice(["'a'", "'ab'", "' '", "'e'", "'ü'", "','", "'A'", "'l'"]))
        count = lambda low=0, high=8: both("i", self.number(low, high))
        template = lambda: random.choice(["YYYY-MM-DD", "HH24:MI:SS", "Mon DD, YYYY", "DD.MM.YY", "FMDay", "Day", "Q", "IW", "DDD", "HH12:MI AM", "MONTH", "fmMonth",
                                          "YYYY-MM-DD HH24:MI:SS.US", "MS", "D", "WW", "ID", "RM", "J", "CC", "dy", "Y,YYY", "W", "FMDD FMMM"])
        numbers = lambda: random.choice(["999.99", "FM999,990.00", "S9999", "9999MI", "0000.0", "FM9990.099", "999G999D99", "9999PR", "SG999", "99", "FM0"])

        def regex():
            pattern, new = random.choice([("[aeiou]", "*"), ("[0-9]+", "#"), ("^.", "<"), (" +", "_"), ("(a)(b|l)", "-"), ("[^a-z]", "")])
            # Redshift replaces every match, PostgreSQL with the flag g.
            return call("t", f"regexp_replace({{0}}, '{pattern}', '{new}')", t(), theirs=f"regexp_replace({{0}}, '{pattern}', '{new}', 'g')")

        return self.pick(
            *[lambda: call("t", "({0} || {1})", t(), t())] * 3,
            lambda: call("t", "upper({0})", t()), lambda: call("t", "lower({0})", t()), lambda: call("t", "initcap({0})", t()),
            lambda: call("t", "substring({0}, {1}, {2})", t(), count(-2), count()), lambda: call("t", "substring({0} FROM {1})", t(), count(-2)),
            lambda: call("t", "substr({0}, {1}, {2})", t(), count(-1), count()),
            lambda: call("t", "left({0}, {1})", t(), count()), lambda: call("t", "right({0}, {1})", t(), count()),
            lambda: call("t", "trim({0})", t()), lambda: call("t", "ltrim({0}, {1})", t(), some()), lambda: call("t", "rtrim({0}, {1})", t(), some()),
            lambda: call("t", "btrim({0}, {1})", t(), some()), lambda: call("t", "trim(LEADING {1} FROM {0})", t(), some()),
            lambda: call("t", "replace({0}, {1}, {2})", t(), some(), t()), lambda: call("t", "translate({0}, 'abeü', 'xy')", t()),
            lambda: call("t", "lpad({0}, {1}, {2})", t(), count(0, 12), some()), lambda: call("t", "rpad({0}, {1}, {2})", t(), count(0, 12), some()),
            lambda: call("t", "lpad({0}, {1})", t(), count(0, 12)), lambda: call("t", "repeat({0}, {1})", t(), count(-1, 3)),
            lambda: call("t", "reverse({0})", t()), lambda: call("t", "split_part({0}, {1}, {2})", t(), some(), count(1, 4)),
            lambda: call("t", "md5({0})", t()), lambda: call("t", "chr({0})", count(33, 126)), lambda: call("t", "quote_ident({0})", t()),
            lambda: call("t", "quote_literal({0})", t()), regex,
            lambda: call("t", "CAST({0} AS varchar)", self.make("i", depth, safe)), lambda: call("t", "CAST({0} AS varchar)", self.leaf("n")),
            lambda: call("t", "CAST({0} AS varchar)", d()), lambda: call("t", "CAST({0} AS varchar)", s()),
            lambda: call("t", "CAST({0} AS varchar(30))", t()), lambda: call("t", "to_hex({0})", count(0, 300)),
            *[lambda: call("t", f"to_char({{0}}, '{template()}')", s())] * 3, lambda: call("t", f"to_char({{0}}, '{numbers()}')", self.leaf("n")),
            lambda: call("t", f"to_char({{0}}, '{numbers()}')", self.leaf("i")),
        )

    def date(self, depth, safe):
        random, call = self.random, self.call
        d, s = (lambda: self.make("d", depth, safe)), (lambda: self.make("s", depth, safe))
        return self.pick(
            lambda: call("d", f"({{0}} {random.choice('+-')} {random.randint(0, 400)})", d()), lambda: call("d", "CAST({0} AS date)", s()),
            # PostgreSQL has no LAST_DAY.
            lambda: call("d", "last_day({0})", d(), theirs="CAST(date_trunc('month', CAST({0} AS timestamp)) + interval '1 month' - interval '1 day' AS date)"),
            lambda: call("d", f"CAST(date_trunc('{random.choice(['week', 'month', 'quarter', 'year', 'decade', 'century'])}', {{0}}) AS date)", s()),
            lambda: both("d", "to_date('{}', '{}')".format(*random.choice([("2020-03-04", "YYYY-MM-DD"), ("31 Jan 1999", "DD Mon YYYY"), ("200-2020", "DDD-YYYY"),
                                                                          ("12/25/08", "MM/DD/YY"), ("20011231", "YYYYMMDD")]))),
            # TRUNC of a timestamp is Redshift's.
            lambda: call("d", "trunc({0})", s(), theirs="CAST({0} AS date)"),
        )

    def moment(self, depth, safe):
        random, call = self.random, self.call
        d, s = (lambda: self.make("d", depth, safe)), (lambda: self.make("s", depth, safe))
        unit = lambda: random.choice(["second", "minute", "hour", "day", "week", "month", "year"])

        def added():
            name, count = unit(), random.randint(-40, 40)
            # PostgreSQL has no DATEADD; Redshift's makes the 29th of February the 1st of March of a year that has none.
            theirs = f"({{0}} + interval '{count} {name}')"
            if name == "year":
                theirs = f"({theirs} + interval '1 day' * (extract(day FROM {{0}}) - extract(day FROM {theirs})))"
            return call("s", f"dateadd({name}, {count}, {{0}})", s(), theirs=theirs)

        return self.pick(
            lambda: call("s", "CAST({0} AS timestamp)", d()), added, added,
            lambda: call("s", f"date_trunc('{random.choice(['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year', 'decade', 'century', 'millennium'])}', {{0}})", s()),
            lambda: call("s", f"({{0}} {random.choice('+-')} interval '{random.randint(0, 50)} {unit()}')", s()),
        )

    def truth(self, depth, safe):
        random, call = self.random, self.call
        b, t = (lambda: self.make("b", depth, True)), (lambda: self.make("t", depth, safe))
        operator = lambda: random.choice(["=", "<>", "<", "<=", ">", ">=", "!="])

        def compared():
            kind = random.choice("iinttdsfb")
            a, c = self.make(kind, depth, safe), self.make(kind, depth, safe)
            if kind == "n":
                a, c = (self.leaf("n") if value.loose else value for value in (a, c))
            return call("b", f"({{0}} {operator()} {{1}})", bare(a), bare(c))

        def mixed():
            kinds = random.choice(["in", "if", "nf", "ds", "sd"])
            return call("b", f"({{0}} {operator()} {{1}})", *(self.leaf(kind) for kind in kinds))

        def between():
            kind = random.choice("intds")
            value, low, high = self.make(kind, depth, safe), self.leaf(kind), self.leaf(kind)
            value = self.leaf(kind) if value.loose else value
            return call("b", f"({{0}} {random.choice(['', 'NOT '])}BETWEEN {{1}} AND {{2}})", bare(value), bare(low), bare(high))

        def in_list():
            kind = random.choice("intds")
            value = self.make(kind, depth, safe)
            value = self.leaf(kind) if value.loose else value
            items = [self.leaf(kind) for _ in range(random.randint(1, 4))]
            listed = ", ".join("{%d}" % at for at in range(1, len(items) + 1))
            return call("b", f"({{0}} {random.choice(['', 'NOT '])}IN ({listed}))", bare(value), *map(bare, items))

        def like():
            pattern = random.choice(["%a%", "a%", "%a", "_a%", "%", "", "___", "%ü%", "A%", "% %", "%a%b%", "%|%%", "_"])
            escape = " ESCAPE '|'" if "|" in pattern else ""
            return call("b", f"({{0}} {random.choice(['LIKE', 'NOT LIKE', 'ILIKE', 'NOT ILIKE'])} '{pattern}'{escape})", t())

        def regex():
            return call("b", "({0} " + random.choice(["~ '^[a-m]'", "!~ 'a'", "~* 'ALPHA|x'", "SIMILAR TO '%(a|b)%'", "SIMILAR TO '[A-Z]%'", "NOT SIMILAR TO 'a_*'",
                                                      "~ '[[:digit:]]'", "~ 'a.*b$'"]) + ")", t())

        def rows():
            a, c, e, g = self.leaf("i"), self.leaf("t"), self.leaf("i"), self.leaf("t")
            return call("b", f"(({{0}}, {{1}}) {random.choice(['=', '<>', '<', '>='])} ({{2}}, {{3}}))", a, bare(c), e, bare(g))

        return self.pick(
            *[compared] * 4, mixed, mixed, between, in_list, in_list, like, like, regex, rows,
            lambda: call("b", "({0} AND {1})", b(), b()), lambda: call("b", "({0} OR {1})", b(), b()), lambda: call("b", "(NOT {0})", self.make("b", depth, safe)),
            lambda: call("b", f"({{0}} IS {random.choice(['NULL', 'NOT NULL'])})", self.make(random.choice("intdsb"), depth, safe)),
            lambda: call("b", f"({{0}} IS {random.choice(['TRUE', 'NOT TRUE', 'FALSE', 'NOT FALSE', 'UNKNOWN', 'NOT UNKNOWN'])})", self.make("b", depth, safe)),
            lambda: both("b", f"CAST('{random.choice(['t', 'false', 'yes', 'n', '1', '0', 'on', 'TRUE', ' true '])}' AS boolean)"),
            lambda: call("b", "CAST({0} AS boolean)", both("i", random.choice(["i4", "0", "7"]) if "i4" in self.columns.get("i", ()) else "1")),
        )


KIND_NAMES = {"i": "whole", "n": "decimal", "f": "double", "t": "text", "d": "date", "s": "moment", "b": "truth"}


def widest(*parts):
    """Digits of a decimal that holds all of some: of a sum without its carry."""
    scale = max(part.digits[1] for part in parts)
    return (min(38, max(part.digits[0] - part.digits[1] for part in parts) + scale), scale)
