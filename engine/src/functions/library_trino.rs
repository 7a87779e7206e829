//! What the generated page says of Trino's functions that are spelled in others or have a grammar of their own, as those
//! over lambdas and JSON.

use super::kernel::ATHENA;
use super::library::Entry;

pub(super) const ENTRIES: &[Entry] = &[
    (
        ATHENA,
        "Arrays and maps",
        "map_zip_with(map, map, (k, v, w) -> …)",
        "A map of the keys of two, each value made of both; one that a map lacks is NULL.",
        &[
            (
                "map_zip_with(map(ARRAY[1, 2, 3], ARRAY['a', 'b', 'c']), map(ARRAY[1, 2, 3], ARRAY['d', 'e', 'f']), (k, v1, v2) -> concat(v1, v2))",
                "{1: ad, 2: be, 3: cf}",
            ),
            (
                "map_zip_with(map(ARRAY['a', 'b', 'c'], ARRAY[1, 8, 27]), map(ARRAY['a', 'b', 'c'], ARRAY[1, 2, 3]), (k, v1, v2) -> k || CAST(v1 / v2 AS varchar))",
                "{a: a1, b: b4, c: c9}",
            ),
        ],
    ),
    (
        ATHENA,
        "Arrays and maps",
        "array_sort(array, (a, b) -> …)",
        "The elements in the order that a lambda decides, which gives -1, 0 or 1 for less, equal, greater.",
        &[
            ("array_sort(ARRAY[3, 2, 5, 1, 2], (x, y) -> IF(x < y, 1, IF(x = y, 0, -1)))", "[5, 3, 2, 2, 1]"),
            (
                "array_sort(ARRAY['a', 'abcd', 'abc'], (x, y) -> IF(length(x) < length(y), -1, IF(length(x) = length(y), 0, 1)))",
                "[a, abc, abcd]",
            ),
        ],
    ),
    (
        ATHENA,
        "Arrays and maps",
        "array_histogram(array)",
        "How often each value is in an array, as a map.",
        &[("element_at(array_histogram(ARRAY[42, 7, 42, NULL]), 42)", "2")],
    ),
    (
        ATHENA,
        "Dates",
        "current_timezone(), localtime",
        "The session's time zone, which is UTC, and this statement's time of day.",
        &[("current_timezone()", "UTC"), ("localtime = CAST(localtimestamp AS time)", "true")],
    ),
    (
        ATHENA,
        "Dates",
        "current_timestamp(digits), localtimestamp(digits)",
        "This statement's moment in UTC, or without zone, with so many digits of a second, 6 at most.",
        &[("current_timestamp(3) = with_timezone(localtimestamp(3), 'UTC')", "true")],
    ),
    (
        ATHENA,
        "Texts",
        "title_case(text)",
        "A text with the first letter of each word large and the others small.",
        &[("title_case('hello world')", "Hello World")],
    ),
    (
        ATHENA,
        "Regular expressions",
        "regexp_replace(text, pattern, groups -> …)",
        "Every match replaced by what a lambda makes of its groups.",
        &[("regexp_replace('new york', '(\\w)(\\w*)', x -> upper(x[1]) || lower(x[2]))", "New York")],
    ),
    (
        ATHENA,
        "JSON",
        "json_exists(json, path [PASSING value AS name, …] [{ TRUE | FALSE | UNKNOWN | ERROR } ON ERROR])",
        "Whether a path leads to something; broken JSON and failing paths are false unless ON ERROR says otherwise.",
        &[
            (
                "json_exists('{\"comment\" : \"nice\", \"children\" : [10, 13, 16]}', 'lax $.children[*]?(@ > 10)')",
                "true",
            ),
            ("json_exists('{\"children\" : [8, 11]}', 'strict $.children[2]?(@ > 10)' UNKNOWN ON ERROR)", "NULL"),
        ],
    ),
    (
        ATHENA,
        "JSON",
        "json_value(json, path [PASSING …] [RETURNING type] [{ ERROR | NULL | DEFAULT value } ON EMPTY] [… ON ERROR])",
        "The scalar that a path leads to, as text or as another type.",
        &[
            ("json_value('{\"children\" : [10, 13, 16]}', 'lax $.children[0]' RETURNING tinyint)", "10"),
            ("json_value('{\"children\" : [8, 11]}', 'strict $.children[2]' DEFAULT 'err' ON ERROR)", "err"),
            ("json_value('{\"children\" : [8, 11]}', 'lax $.children[2]' DEFAULT 'missing' ON EMPTY)", "missing"),
        ],
    ),
    (
        ATHENA,
        "JSON",
        "json_query(json, path [PASSING …] [RETURNING type] [{ WITHOUT | WITH [CONDITIONAL | UNCONDITIONAL] } [ARRAY] WRAPPER] [{ KEEP | OMIT } QUOTES] [{ ERROR | NULL | EMPTY ARRAY | EMPTY OBJECT } ON EMPTY] [… ON ERROR])",
        "What a path leads to, as JSON.",
        &[
            ("json_query('{\"children\" : [10, 13, 16]}', 'lax $.children')", "[10,13,16]"),
            ("json_query('{\"children\" : [8, 11]}', 'lax $.children[last]' WITH ARRAY WRAPPER)", "[11]"),
            (
                "json_query('{\"children\" : [2]}', 'strict $.children[*]?(@ > 12)' WITH ARRAY WRAPPER EMPTY ARRAY ON EMPTY)",
                "[]",
            ),
            ("json_query('{\"comment\" : \"nice\"}', 'strict $.comment' OMIT QUOTES)", "nice"),
        ],
    ),
    (
        ATHENA,
        "JSON",
        "json_array(value [FORMAT JSON], … [{ NULL | ABSENT } ON NULL] [RETURNING type])",
        "Values as a JSON array, without NULLs unless it is said otherwise.",
        &[
            ("json_array(true, 12e-1, 'text')", "[true,1.2,\"text\"]"),
            (
                "json_array('[  \"text\"  ] ' FORMAT JSON, X'5B0035005D00' FORMAT JSON ENCODING UTF16)",
                "[[\"text\"],[5]]",
            ),
            ("json_array(true, null, 1 NULL ON NULL)", "[true,null,1]"),
        ],
    ),
    (
        ATHENA,
        "JSON",
        "json_object(key : value [FORMAT JSON], … [{ NULL | ABSENT } ON NULL] [{ WITH | WITHOUT } UNIQUE [KEYS]] [RETURNING type])",
        "Keys and values as a JSON object; also written KEY key VALUE value.",
        &[
            ("json_object('key1' : 1, 'key2' : true)", "{\"key1\":1,\"key2\":true}"),
            ("json_object(KEY 'key1' VALUE 1, KEY 'key2' VALUE true)", "{\"key1\":1,\"key2\":true}"),
            ("json_object('x' : null, 'y' : 1 ABSENT ON NULL)", "{\"y\":1}"),
            ("json_object('x' : json_query('{\"key\" : [  \"value\"  ]}', 'lax $.key'))", "{\"x\":[\"value\"]}"),
        ],
    ),
    (
        ATHENA,
        "JSON",
        "json_table(json, path [AS name] [PASSING …] COLUMNS ({ name FOR ORDINALITY | name type [FORMAT JSON] [PATH path] … | NESTED [PATH] path [AS name] COLUMNS (…) }, …) [PLAN (…) | PLAN DEFAULT (…)] [{ ERROR | EMPTY } ON ERROR])",
        "In FROM, also of columns of what stands before it: a row for each item that a path leads to, with a column for each value that other paths lead to from there. What may be said of a column is that of json_value, and with FORMAT JSON that of json_query.",
        &[(
            "(SELECT listagg(name, ',') WITHIN GROUP (ORDER BY id) FROM json_table('[{\"id\":1,\"name\":\"Africa\"},{\"id\":2,\"name\":\"Americas\"}]', 'strict $[*]' COLUMNS (id integer PATH 'strict $.id', name varchar PATH 'strict $.name')))",
            "Africa,Americas",
        )],
    ),
    (
        ATHENA,
        "JSON",
        "CAST(value AS json)",
        "A value as JSON: arrays are arrays, maps and rows objects; a text is a string.",
        &[
            ("CAST(ARRAY[1, NULL, 456] AS json)", "[1,null,456]"),
            ("CAST(map(ARRAY['k1', 'k2'], ARRAY[1, 23]) AS json)", "{\"k1\":1,\"k2\":23}"),
            ("CAST('abc' AS json)", "\"abc\""),
        ],
    ),
    (
        ATHENA,
        "JSON",
        "CAST(json AS type)",
        "JSON as a value: a number, text or truth value, an array, a map or a row.",
        &[
            ("CAST(JSON '[[1,23],[456]]' AS ARRAY(ARRAY(integer)))", "[[1, 23], [456]]"),
            ("CAST(JSON '{\"k1\":1,\"k2\":23,\"k3\":456}' AS MAP(varchar, integer))", "{k1: 1, k2: 23, k3: 456}"),
            (
                "CAST(JSON '[123,\"abc\",true]' AS ROW(v1 bigint, v2 varchar, v3 boolean))",
                "{v1: 123, v2: abc, v3: true}",
            ),
            ("CAST(JSON '\"abc\"' AS varchar)", "abc"),
        ],
    ),
    (
        ATHENA,
        "Table functions",
        "TABLE(sequence(start, stop [, step])), TABLE(sequence([start => …,] stop => … [, step => …]))",
        "In FROM: the whole numbers from the start, which is 0 without one, to the stop, as the column sequential_number.",
        &[
            ("(SELECT sum(sequential_number) FROM TABLE(sequence(1, 10, 4)))", "15"),
            ("(SELECT count(*) FROM TABLE(sequence(start => 1000000, stop => -2000000, step => -3)))", "1000001"),
        ],
    ),
    (
        ATHENA,
        "Table functions",
        "TABLE(exclude_columns(input => TABLE({ table | query }), columns => DESCRIPTOR(name, …)))",
        "In FROM: a table or query without some of its columns.",
        &[(
            "(SELECT * FROM TABLE(exclude_columns(input => TABLE(SELECT 1 AS a, 2 AS b), columns => DESCRIPTOR(a))))",
            "2",
        )],
    ),
];
