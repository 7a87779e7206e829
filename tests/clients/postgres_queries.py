"""Random queries that Redshift and PostgreSQL have in common, over the tables a, b and c of the grammar.

What is asked has one answer as a set of rows: windows and limits order by keys that leave no ties.
"""

import dataclasses

from postgres_grammar import Expression, Grammar, QUERY_KINDS


@dataclasses.dataclass
class Query:
    """A query in both spellings, the kinds of its columns, which of them are loose, and whether its rows have an order."""

    ours: str
    theirs: str
    columns: list
    ordered: bool = False


class Scope:
    """The relations of a FROM clause: their aliases, and their columns with kinds."""

    def __init__(self, *relations):
        self.relations = list(relations)

    def columns(self, kind=None):
        return [(f"{alias}.{name}", of) for alias, columns in self.relations for name, of in columns.items() if kind in (None, of)]

    def identity(self):
        """Columns that no two rows share."""
        return [f"{alias}.id" for alias, _ in self.relations]


class QueryWriter:
    """Writes queries; aliases are numbered through a query."""

    def __init__(self, random):
        self.random = random
        self.aliases = 0

    def alias(self):
        self.aliases += 1
        return f"r{self.aliases}"

    def grammar(self, scope):
        columns = {}
        for name, kind in scope.columns():
            if not name.endswith(".id"):
                columns.setdefault(kind, []).append(name)
        return Grammar(self.random, columns, {name: (10, 2) for name in columns.get("n", [])})

    def query(self):
        self.aliases = 0
        return self.random.choice([self.plain, self.plain, self.grouped, self.grouped, self.window, self.sets, self.common_table, self.totals, self.nested])()

    def table(self, depth):
        """A table or a query in parentheses, in both spellings, with its scope."""
        alias = self.alias()
        name = self.random.choice("aabbc")
        if depth <= 0 or self.random.random() < 0.7:
            return f"{name} AS {alias}", f"{name} AS {alias}", (alias, dict(QUERY_KINDS))
        inner = self.alias()
        scope = Scope((inner, dict(QUERY_KINDS)))
        where = self.where(scope, 0)
        if self.random.random() < 0.4:
            text = f"(SELECT {inner}.g AS id, count(*) AS x, max({inner}.s) AS s, sum({inner}.n) AS n FROM {name} AS {inner}%s GROUP BY {inner}.g) AS {alias}"
            return text % where[0], text % where[1], (alias, {"id": "i", "x": "i", "s": "t", "n": "n"})
        text = f"(SELECT * FROM {name} AS {inner}%s) AS {alias}"
        return text % where[0], text % where[1], (alias, dict(QUERY_KINDS))

    def from_(self, depth=1, most=3):
        """FROM's text in both spellings, and its scope."""
        ours, theirs, relation = self.table(depth)
        scope = Scope(relation)
        for _ in range(self.random.choice([0, 1, 1, 2][:most + 1])):
            more, more_theirs, added = self.table(depth)
            join = self.random.choice(["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ","])
            scope_after = Scope(*scope.relations, added)
            if join in ("CROSS JOIN", ","):
                # A comma binds less than JOIN, so it would hide what is left of it.
                ours, theirs = f"{ours} CROSS JOIN {more}", f"{theirs} CROSS JOIN {more_theirs}"
            else:
                left = self.random.choice([name for name, kind in scope.columns("i")])
                right = self.random.choice([f"{added[0]}.{name}" for name, kind in added[1].items() if kind == "i"])
                condition = f"{left} = {right}"
                if join != "FULL JOIN" and self.random.random() < 0.3:
                    extra = self.condition(scope_after)
                    ours, theirs = f"{ours} {join} {more} ON {condition} AND {extra.ours}", f"{theirs} {join} {more_theirs} ON {condition} AND {extra.theirs}"
                else:
                    ours, theirs = f"{ours} {join} {more} ON {condition}", f"{theirs} {join} {more_theirs} ON {condition}"
            scope = scope_after
        return ours, theirs, scope

    def condition(self, scope):
        return self.grammar(scope).make("b", 2, safe=True)

    def where(self, scope, depth):
        """A WHERE clause or none."""
        terms = self.terms(scope, depth)
        return (f" WHERE {terms[0]}", f" WHERE {terms[1]}") if terms else ("", "")

    def terms(self, scope, depth):
        """The conditions of a WHERE clause, or None."""
        if self.random.random() < 0.35:
            return None
        terms = []
        for _ in range(self.random.choice([1, 1, 2, 3])):
            term = self.condition(scope) if depth <= 0 or self.random.random() < 0.55 else self.subquery_condition(scope, depth)
            if self.random.random() < 0.1:
                term = Expression(f"(NOT {term.ours})", f"(NOT {term.theirs})", "b")
            terms.append(term)
        word = self.random.choice([" AND ", " AND ", " OR "])
        return word.join(term.ours for term in terms), word.join(term.theirs for term in terms)

    def subquery_condition(self, scope, depth):
        name, alias = self.random.choice("abc"), self.alias()
        inner = Scope((alias, dict(QUERY_KINDS)))
        terms = self.terms(inner, depth - 1)
        where = (f" WHERE {terms[0]}", f" WHERE {terms[1]}") if terms else ("", "")
        outer = self.random.choice([column for column, _ in scope.columns("i")])
        column = f"{alias}.{self.random.choice(['k', 'g', 'x'])}"
        link = f"{outer} = {alias}.{self.random.choice(['k', 'g'])}"
        linked = (f" WHERE {link} AND ({terms[0]})", f" WHERE {link} AND ({terms[1]})") if terms else (f" WHERE {link}",) * 2
        form = self.random.choice(["in", "not in", "exists", "not exists", "scalar", "correlated", "correlated in", "any"])
        value = self.random.choice([column_ for column_, _ in scope.columns("i")])
        aggregate = self.random.choice(["max", "min", "sum", "count"])
        operator = self.random.choice(["=", "<", ">", ">=", "<>"])
        templates = {
            "in": (f"({value} IN (SELECT {column} FROM {name} AS {alias}%s))", where),
            "not in": (f"({value} NOT IN (SELECT {column} FROM {name} AS {alias}%s))", where),
            "exists": (f"(EXISTS (SELECT 1 FROM {name} AS {alias}%s))", linked),
            "not exists": (f"(NOT EXISTS (SELECT * FROM {name} AS {alias}%s))", linked),
            "scalar": (f"({value} {operator} (SELECT {aggregate}({column}) FROM {name} AS {alias}%s))", where),
            "correlated": (f"({value} {operator} (SELECT {aggregate}({column}) FROM {name} AS {alias}%s))", linked),
            "correlated in": (f"({value} IN (SELECT {column} FROM {name} AS {alias}%s))", linked),
            "any": (f"({value} {operator} {self.random.choice(['ANY', 'ALL'])} (SELECT {column} FROM {name} AS {alias}%s))", where),
        }
        text, clause = templates[form]
        return Expression(text % clause[0], text % clause[1], "b")

    def aggregate(self, scope):
        """An aggregate over a scope's columns; what is loose has another scale in PostgreSQL."""
        grammar = self.grammar(scope)
        random = self.random
        i, n, t, b, any_ = (grammar.make("i", 1, True), grammar.leaf("n"), grammar.make("t", 1, True), grammar.make("b", 1, True), grammar.any(1, True))
        call = lambda kind, text, part, theirs=None, **more: Expression(text.format(part.ours), (theirs or text).format(part.theirs), kind, **more)
        forms = [
            lambda: Expression("count(*)", "count(*)", "i"), lambda: call("i", "count({})", any_), lambda: call("i", "count(DISTINCT {})", any_),
            lambda: call("n", "sum({})", i), lambda: call("n", "sum({})", n), lambda: call("n", "sum(DISTINCT {})", n),
            lambda: call(any_.kind, "min({})", any_) if any_.kind != "b" else call("b", "bool_and({})", any_),
            lambda: call(any_.kind, "max({})", any_) if any_.kind != "b" else call("b", "bool_or({})", any_),
            # AVG of whole numbers is a BIGINT in Redshift, cut; of decimals it has the argument's scale, cut.
            lambda: call("i", "avg({})", i, theirs="CAST(trunc(avg({})) AS bigint)"), lambda: call("n", "avg({})", n, theirs="avg({})", loose=True),
            lambda: call("f", "avg(CAST({} AS float8))", i), lambda: call("f", "stddev_samp({})", n), lambda: call("f", "var_pop({})", i), lambda: call("f", "stddev_pop({})", i),
            lambda: call("b", "bool_or({})", b), lambda: call("i", "sum(CASE WHEN {} THEN 1 ELSE 0 END)", b),
            lambda: call("f", "median({})", n, theirs="percentile_cont(0.5) WITHIN GROUP (ORDER BY {})"),
            lambda: call("n", "percentile_disc(0.25) WITHIN GROUP (ORDER BY {})", n),
            lambda: call("t", "listagg({0}, ',') WITHIN GROUP (ORDER BY {0})", t, theirs="string_agg({0}, ',' ORDER BY {0})"),
        ]
        return random.choice(forms)()

    def select(self, items, rest, distinct=False):
        """SELECT of expressions over what follows them."""
        word = "SELECT DISTINCT " if distinct else "SELECT "
        ours = word + ", ".join(f"{item.ours} AS c{at}" for at, item in enumerate(items, 1)) + rest[0]
        theirs = word + ", ".join(f"{item.theirs} AS c{at}" for at, item in enumerate(items, 1)) + rest[1]
        return Query(ours, theirs, [(item.kind, item.loose) for item in items])

    def finish(self, query):
        """Sometimes an order by all columns, and with it a limit."""
        if self.random.random() < 0.4 or any(loose or kind == "f" for kind, loose in query.columns):
            return query
        positions = list(range(1, len(query.columns) + 1))
        self.random.shuffle(positions)
        keys = ", ".join(f"{at}{self.random.choice(['', ' ASC', ' DESC'])}{self.random.choice(['', '', ' NULLS FIRST', ' NULLS LAST'])}" for at in positions)
        tail = f" ORDER BY {keys}"
        if self.random.random() < 0.5:
            tail += f" LIMIT {self.random.randint(0, 12)}"
            if self.random.random() < 0.3:
                tail += f" OFFSET {self.random.randint(0, 5)}"
        return Query(query.ours + tail, query.theirs + tail, query.columns, ordered=True)

    def items(self, scope, count=None):
        grammar = self.grammar(scope)
        return [grammar.any(self.random.choice([0, 1, 2]), safe=True) for _ in range(count or self.random.randint(1, 4))]

    def plain(self):
        ours, theirs, scope = self.from_()
        where = self.where(scope, 2)
        items = self.items(scope)
        if self.random.random() < 0.25:
            items.append(self.scalar(scope))
        return self.finish(self.select(items, (f" FROM {ours}{where[0]}", f" FROM {theirs}{where[1]}"), self.random.random() < 0.2))

    def scalar(self, scope):
        """A query as a value, of one row for each of the rows around it."""
        name, alias = self.random.choice("abc"), self.alias()
        outer = self.random.choice([column for column, _ in scope.columns("i")])
        aggregate = self.random.choice(["max", "min", "count", "sum"])
        text = f"(SELECT {aggregate}({alias}.x) FROM {name} AS {alias}{self.random.choice(['', f' WHERE {alias}.k = {outer}'])})"
        return Expression(text, text, "n")

    def totals(self):
        ours, theirs, scope = self.from_()
        where = self.where(scope, 1)
        items = [self.aggregate(scope) for _ in range(self.random.randint(1, 4))]
        return self.select(items, (f" FROM {ours}{where[0]}", f" FROM {theirs}{where[1]}"))

    def grouped(self):
        ours, theirs, scope = self.from_()
        where = self.where(scope, 1)
        columns = [(name, kind) for name, kind in scope.columns() if not name.endswith(".id")]
        keys = [Expression(name, name, kind) for name, kind in self.random.sample(columns, self.random.choice([1, 1, 2]))]
        if self.random.random() < 0.25:
            keys[0] = next((made for made in (self.grammar(scope).any(2, True) for _ in range(9)) if made.parts and "." in made.ours), keys[0])
        grouping = self.random.choice(["{}"] * 6 + ["ROLLUP ({})", "CUBE ({})"])
        if grouping == "{}" and self.random.random() < 0.3:
            by = (", ".join(str(at) for at in range(1, len(keys) + 1)),) * 2
        else:
            by = tuple(grouping.format(", ".join(getattr(key, side) for key in keys)) for side in ("ours", "theirs"))
        items = keys + [self.aggregate(scope) for _ in range(self.random.randint(1, 3))]
        # GROUPING of an expression with a cast in it is refused.
        if grouping != "{}" and not keys[0].parts:
            items.append(Expression(f"grouping({keys[0].ours})", f"grouping({keys[0].theirs})", "i"))
        having = ("", "")
        if self.random.random() < 0.3:
            condition = self.random.choice(["count(*) > 1", "count(*) >= 2 AND count(*) < 9"])
            having = (f" HAVING {condition}",) * 2
        return self.finish(self.select(items, (f" FROM {ours}{where[0]} GROUP BY {by[0]}{having[0]}", f" FROM {theirs}{where[1]} GROUP BY {by[1]}{having[1]}")))

    def window(self):
        ours, theirs, scope = self.from_(most=2)
        where = self.where(scope, 1)
        random = self.random
        items = self.items(scope, 1) + [Expression(name, name, "i") for name in scope.identity()]
        for _ in range(random.randint(1, 3)):
            items.append(self.window_function(scope))
        return self.finish(self.select(items, (f" FROM {ours}{where[0]}", f" FROM {theirs}{where[1]}")))

    def window_function(self, scope):
        random = self.random
        names = [name for name, _ in scope.columns() if not name.endswith(".id")]
        partition = random.choice(["", f"PARTITION BY {random.choice(names)} ", f"PARTITION BY {', '.join(random.sample(names, 2))} "])
        rule = random.choice(["", " DESC", " NULLS FIRST", " DESC NULLS LAST"])
        total = f"ORDER BY {random.choice(names)}{rule}, " + ", ".join(scope.identity())
        some = f"ORDER BY {random.choice(names)}{rule}"
        frame = random.choice(["ROWS UNBOUNDED PRECEDING", "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                               "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", "ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING"])
        number = random.choice([name for name, kind in scope.columns() if kind in "in" and not name.endswith(".id")])
        value, kind = random.choice([(name, kind) for name, kind in scope.columns() if not name.endswith(".id")])
        same = lambda kind, text: Expression(text, text, kind)
        return random.choice([
            lambda: same("i", f"row_number() OVER ({partition}{total})"), lambda: same("i", f"rank() OVER ({partition}{some})"),
            lambda: same("i", f"dense_rank() OVER ({partition}{some})"), lambda: same("f", f"percent_rank() OVER ({partition}{some})"),
            lambda: same("f", f"cume_dist() OVER ({partition}{some})"), lambda: same("i", f"ntile({random.randint(1, 4)}) OVER ({partition}{total})"),
            lambda: same(kind, f"lag({value}{random.choice(['', ', 2'])}) OVER ({partition}{total})"),
            lambda: same(kind, f"lead({value}) OVER ({partition}{total})"),
            lambda: same(kind, f"first_value({value}) OVER ({partition}{total} {frame})"), lambda: same(kind, f"last_value({value}) OVER ({partition}{total} {frame})"),
            lambda: same(kind, f"nth_value({value}, 2) OVER ({partition}{total} {frame})"),
            lambda: same("n", f"sum({number}) OVER ({partition}{total} {frame})"), lambda: same("n", f"sum({number}) OVER ({partition.strip()})"),
            lambda: same("i", f"count({value}) OVER ({partition}{total} {frame})"), lambda: same("i", f"count(*) OVER ({partition.strip()})"),
            lambda: same(kind, f"max({value}) OVER ({partition}{total} {frame})") if kind != "b" else same("i", f"count(*) OVER ({partition}{total} {frame})"),
        ])()

    def side(self, kinds):
        """A SELECT of expressions of given kinds."""
        ours, theirs, scope = self.from_(most=1)
        where = self.where(scope, 1)
        grammar = self.grammar(scope)
        items = [grammar.make(kind, self.random.choice([0, 0, 1]), safe=True) for kind in kinds]
        return self.select(items, (f" FROM {ours}{where[0]}", f" FROM {theirs}{where[1]}"), self.random.random() < 0.1)

    def sets(self):
        kinds = [self.random.choice("iintds") for _ in range(self.random.randint(1, 3))]
        query = self.side(kinds)
        for _ in range(self.random.choice([1, 1, 2])):
            word = self.random.choice(["UNION", "UNION ALL", "UNION ALL", "INTERSECT", "EXCEPT"])
            more = self.side(kinds)
            if self.random.random() < 0.3:
                more = dataclasses.replace(more, ours=f"({more.ours})", theirs=f"({more.theirs})")
            query = Query(f"{query.ours} {word} {more.ours}", f"{query.theirs} {word} {more.theirs}", query.columns)
        return self.finish(query)

    def common_table(self):
        """A common table that is used once or twice."""
        inner = self.select(*self.counted())
        name = "w"
        columns = {f"c{at}": kind for at, (kind, _) in enumerate(inner.columns, 1)}
        one, two = self.alias(), self.alias()
        scope = Scope((one, columns))
        source = f" FROM {name} AS {one}"
        if self.random.random() < 0.5:
            source += f" {self.random.choice(['JOIN', 'LEFT JOIN'])} {name} AS {two} ON {one}.c1 = {two}.c1"
            scope = Scope((one, columns), (two, columns))
        where = self.where(scope, 0)
        body = self.select(self.items(scope), (source + where[0], source + where[1]))
        return self.finish(Query(f"WITH w AS ({inner.ours}) {body.ours}", f"WITH w AS ({inner.theirs}) {body.theirs}", body.columns))

    def counted(self):
        ours, theirs, scope = self.from_(most=1)
        where = self.where(scope, 1)
        key = self.random.choice([name for name, kind in scope.columns("i") if not name.endswith(".id")])
        items = [Expression(key, key, "i"), Expression("count(*)", "count(*)", "i"), Expression(f"min({key})", f"min({key})", "i")]
        return items, (f" FROM {ours}{where[0]} GROUP BY {key}", f" FROM {theirs}{where[1]} GROUP BY {key}")

    def nested(self):
        """Aggregates over a query that is grouped or joined itself."""
        inner = self.grouped()
        if inner.ordered:
            inner = self.plain()
        alias = self.alias()
        columns = {f"c{at}": kind for at, (kind, loose) in enumerate(inner.columns, 1) if not loose and kind != "f"}
        if not columns:
            return inner
        scope = Scope((alias, columns))
        items = [self.aggregate(scope) for _ in range(2)]
        where = self.where(scope, 0)
        return self.select(items, (f" FROM ({inner.ours}) AS {alias}{where[0]}", f" FROM ({inner.theirs}) AS {alias}{where[1]}"))

