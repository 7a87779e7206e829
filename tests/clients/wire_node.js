// node-postgres on `millrace serve`: types as text, parameters, errors, a transaction.
const assert = require("assert");
const { Client } = require("pg");

async function main() {
    const client = new Client();
    await client.connect();
    const one = await client.query("SELECT 1::int AS a, 'x' AS b, NULL AS c, 1.50::decimal(10,2) AS d, true AS e");
    assert.deepStrictEqual(one.rows, [{ a: 1, b: "x", c: null, d: "1.50", e: true }]);
    await client.query("CREATE TABLE t_node (a int, b varchar(20))");
    await client.query("INSERT INTO t_node VALUES ($1, $2), ($3, $4)", [1, "it's", 2, null]);
    const found = await client.query("SELECT b FROM t_node WHERE a = $1", [1]);
    assert.deepStrictEqual(found.rows, [{ b: "it's" }]);
    await client.query("BEGIN");
    await client.query("DELETE FROM t_node");
    await assert.rejects(client.query("SELECT 1/0"), { code: "22012" });
    await assert.rejects(client.query("SELECT 1"), { code: "25P02" });
    await client.query("ROLLBACK");
    const count = await client.query({ name: "count", text: "SELECT count(*) AS n FROM t_node" });
    assert.deepStrictEqual(count.rows, [{ n: "2" }]);
    await client.end();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
