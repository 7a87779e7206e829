// node-postgres on `millrace serve`: types as text, NULLs, parameters, errors, transactions, a million rows.
const assert = require("assert");
const { Client } = require("pg");

async function main() {
    const client = new Client();
    await client.connect();
    const one = await client.query("SELECT 1::int AS a, 'x' AS b, NULL AS c, 1.50::decimal(10,2) AS d, true AS e");
    assert.deepStrictEqual(one.rows, [{ a: 1, b: "x", c: null, d: "1.50", e: true }]);
    const more = await client.query(
        "SELECT 7::smallint AS a, 8::bigint AS b, 1.5::real AS c, 2.5::float8 AS d, false AS e, " +
            "to_varbyte('00ff', 'hex') AS f, timestamptz '2024-01-01 12:00:00.5+02' AS g, time '10:11:12.5' AS h, " +
            "json_parse('[1, null]') AS i",
    );
    assert.deepStrictEqual(more.rows, [
        {
            a: 7,
            b: "8",
            c: 1.5,
            d: 2.5,
            e: false,
            f: Buffer.from([0, 255]),
            g: new Date("2024-01-01T10:00:00.500Z"),
            h: "10:11:12.5",
            i: "[1,null]",
        },
    ]);
    const nothing = await client.query({
        text: "SELECT NULL::smallint, NULL::bigint, NULL::real, NULL::decimal(10,2), NULL::varchar, NULL::date, NULL::timestamp, NULL::boolean",
        rowMode: "array",
    });
    assert.deepStrictEqual(nothing.rows, [Array(8).fill(null)]);
    await client.query("CREATE TABLE t_node (a int, b varchar(20))");
    await client.query("INSERT INTO t_node VALUES ($1, $2), ($3, $4)", [1, "it's", 2, null]);
    const found = await client.query("SELECT b FROM t_node WHERE a = $1", [1]);
    assert.deepStrictEqual(found.rows, [{ b: "it's" }]);
    await client.query("BEGIN");
    await client.query("DELETE FROM t_node");
    await assert.rejects(client.query("SELECT 1/0"), { code: "22012" });
    await assert.rejects(client.query("SELECT 1"), { code: "25P02" });
    await client.query("ROLLBACK");
    for (const [text, code] of [
        ["SELECT * FROM nope", "42P01"],
        ["SELECT nope", "42703"],
        ["SELECT 'a'::int", "22P02"],
        ["SELEC", "42601"],
    ]) {
        await assert.rejects(client.query(text), { code }, text);
    }
    // What is not committed nobody else sees.
    const other = new Client();
    await other.connect();
    const seen = async () => (await other.query("SELECT count(*) AS n FROM t_node")).rows[0].n;
    await client.query("BEGIN");
    await client.query("INSERT INTO t_node VALUES ($1, $2)", [3, "three"]);
    assert.strictEqual(await seen(), "2");
    await client.query("COMMIT");
    assert.strictEqual(await seen(), "3");
    await client.query("DELETE FROM t_node WHERE a = $1", [3]);
    await other.end();
    const count = await client.query({ name: "count", text: "SELECT count(*) AS n FROM t_node" });
    assert.deepStrictEqual(count.rows, [{ n: "2" }]);
    const million = await client.query({
        text: "SELECT a.x * 1000 + b.y FROM generate_series(0, 999) a(x), generate_series(0, 999) b(y)",
        rowMode: "array",
    });
    assert.strictEqual(million.rowCount, 1000000);
    assert.strictEqual(million.rows.reduce((sum, [value]) => sum + Number(value), 0), 499999500000);
    await client.end();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
