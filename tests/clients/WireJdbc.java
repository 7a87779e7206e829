// The PostgreSQL JDBC driver on `millrace serve`: types, parameters, batches, fetch size, errors.
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

public class WireJdbc {
    static void same(Object expected, Object found, String what) {
        if (!java.util.Objects.equals(expected, found)) {
            throw new AssertionError(what + ": expected " + expected + ", found " + found);
        }
    }

    static void metadata(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE jdbc_parent (id bigint PRIMARY KEY, name varchar(20) NOT NULL)");
            statement.execute("CREATE TABLE jdbc_child (parent bigint REFERENCES jdbc_parent (id))");
        }
        connection.commit();
        DatabaseMetaData about = connection.getMetaData();
        same(1, rows(about.getTables(null, "default", "jdbc_p%", new String[] {"TABLE"})), "tables");
        same(2, rows(about.getColumns(null, "default", "jdbc_parent", "%")), "columns");
        ResultSet column = about.getColumns(null, "default", "jdbc_parent", "name");
        same(true, column.next(), "a column");
        same("varchar", column.getString("TYPE_NAME"), "its type");
        same(20, column.getInt("COLUMN_SIZE"), "its size");
        same(DatabaseMetaData.columnNoNulls, column.getInt("NULLABLE"), "NOT NULL");
        boolean found = false;
        ResultSet schemas = about.getSchemas();
        while (schemas.next()) {
            found |= schemas.getString("TABLE_SCHEM").equals("default");
        }
        same(true, found, "the schema");
        ResultSet key = about.getPrimaryKeys(null, "default", "jdbc_parent");
        same(true, key.next(), "a primary key");
        same("id", key.getString("COLUMN_NAME"), "its column");
        same(1, key.getInt("KEY_SEQ"), "the column's place in it");
        same("jdbc_parent_pkey", key.getString("PK_NAME"), "its name");
        same(false, key.next(), "one column");
        same(1, rows(about.getBestRowIdentifier(null, "default", "jdbc_parent", 0, true)), "what tells rows apart");
        same("8.0.2", about.getDatabaseProductVersion(), "the version");
        connection.commit();
    }

    static int rows(ResultSet found) throws SQLException {
        int count = 0;
        while (found.next()) {
            count++;
        }
        return count;
    }

    static void million(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(10_000);
            ResultSet found = statement.executeQuery(
                    "SELECT a.x * 1000 + b.y FROM generate_series(0, 999) a(x), generate_series(0, 999) b(y)");
            long sum = 0;
            while (found.next()) {
                sum += found.getLong(1);
            }
            same(999_999L * 1_000_000 / 2, sum, "a million rows");
        }
        connection.commit();
    }

    public static void main(String[] arguments) throws SQLException {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/dev";
        try (Connection connection =
                DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
            try (Statement statement = connection.createStatement()) {
                ResultSet row = statement.executeQuery("SELECT 1::int, 'x', 1.50::decimal(10,2), true, NULL::int");
                same(true, row.next(), "a row");
                same(1, row.getInt(1), "int");
                same("x", row.getString(2), "text");
                same(new BigDecimal("1.50"), row.getBigDecimal(3), "decimal");
                same(true, row.getBoolean(4), "boolean");
                same(null, row.getObject(5), "null");
                statement.execute("CREATE TABLE t_jdbc (a int, b varchar(20))");
            }
            connection.setAutoCommit(false);
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO t_jdbc VALUES (?, ?)")) {
                for (int number = 0; number < 100; number++) {
                    insert.setInt(1, number);
                    insert.setString(2, number % 2 == 0 ? null : "n" + number);
                    insert.addBatch();
                }
                same(100, insert.executeBatch().length, "a batch");
            }
            connection.commit();
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(7);
                ResultSet rows = statement.executeQuery("SELECT a FROM t_jdbc ORDER BY a");
                int seen = 0;
                while (rows.next()) {
                    same(seen++, rows.getInt(1), "a row by its fetch");
                }
                same(100, seen, "rows");
            }
            try (Statement statement = connection.createStatement()) {
                statement.execute("SELECT 1/0");
                throw new AssertionError("1/0 did not fail");
            } catch (SQLException error) {
                same("22012", error.getSQLState(), "the error's SQLSTATE");
            }
            connection.rollback();
            metadata(connection);
            million(connection);
        }
    }
}
