// The PostgreSQL JDBC driver on `millrace serve`: types, NULLs, parameters, batches, fetch size, errors, transactions,
// metadata, a million rows.
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Arrays;

public class WireJdbc {
    static void same(Object expected, Object found, String what) {
        if (!java.util.Objects.equals(expected, found)) {
            throw new AssertionError(what + ": expected " + expected + ", found " + found);
        }
    }

    /** Every type written as a parameter and read, by its own getter, and NULL. */
    static void types(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE jdbc_types (k int, a smallint, b bigint, c real, d float8, e decimal(10,2),"
                    + " f varchar(20), g char(3), h date, i time, j timestamp, l timestamptz, m boolean, n varbyte(4))");
        }
        LocalDateTime moment = LocalDateTime.of(2001, 1, 1, 0, 0, 0, 123_456_000);
        Object[] given = {
            1, (short) -7, 1L << 40, 1.5f, -2.5, new BigDecimal("-1.25"), "it's \\ \u00fc", "ab ", LocalDate.of(1999, 12, 31),
            LocalTime.of(10, 11, 12), moment, moment.atOffset(ZoneOffset.UTC), true
        };
        int[] kinds = {
            Types.INTEGER, Types.SMALLINT, Types.BIGINT, Types.REAL, Types.DOUBLE, Types.NUMERIC, Types.VARCHAR, Types.CHAR,
            Types.DATE, Types.TIME, Types.TIMESTAMP, Types.TIMESTAMP_WITH_TIMEZONE, Types.BOOLEAN
        };
        String marks = "?" + ", ?".repeat(given.length);
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jdbc_types VALUES (" + marks + ")")) {
            for (int at = 0; at < given.length; at++) {
                insert.setObject(at + 1, given[at]);
            }
            insert.setBytes(given.length + 1, new byte[] {0, -1});
            same(1, insert.executeUpdate(), "a row of every type");
            insert.setInt(1, 2);
            for (int at = 1; at < given.length; at++) {
                insert.setNull(at + 1, kinds[at]);
            }
            insert.setNull(given.length + 1, Types.BINARY);
            same(1, insert.executeUpdate(), "a row of NULLs");
        }
        connection.commit();
        try (Statement statement = connection.createStatement()) {
            ResultSet row = statement.executeQuery("SELECT * FROM jdbc_types ORDER BY k");
            same(true, row.next(), "the row of values");
            same((short) -7, row.getShort(2), "smallint");
            same(1L << 40, row.getLong(3), "bigint");
            same(1.5f, row.getFloat(4), "real");
            same(-2.5, row.getDouble(5), "float8");
            same(given[5], row.getBigDecimal(6), "decimal");
            same(given[6], row.getString(7), "varchar");
            same(given[7], row.getString(8), "char");
            same(given[8], row.getObject(9, LocalDate.class), "date");
            same(given[9], row.getObject(10, LocalTime.class), "time");
            same(given[10], row.getObject(11, LocalDateTime.class), "timestamp");
            same(given[11], row.getObject(12, OffsetDateTime.class).withOffsetSameInstant(ZoneOffset.UTC), "timestamptz");
            same(true, row.getBoolean(13), "boolean");
            same("[0, -1]", Arrays.toString(row.getBytes(14)), "varbyte");
            same(true, row.next(), "the row of NULLs");
            for (int at = 2; at <= given.length + 1; at++) {
                same(null, row.getObject(at), "NULL in column " + at);
                same(true, row.wasNull(), "wasNull of column " + at);
            }
        }
        connection.commit();
    }

    /** What is not committed nobody else sees; after an error a transaction does nothing until it ends. */
    static void transactions(Connection connection, Connection other) throws SQLException {
        try (Statement statement = connection.createStatement(); Statement seen = other.createStatement()) {
            statement.execute("CREATE TABLE jdbc_seen (a int)");
            connection.commit();
            statement.executeUpdate("INSERT INTO jdbc_seen VALUES (1)");
            same(0, rows(seen.executeQuery("SELECT a FROM jdbc_seen")), "rows before the commit");
            connection.commit();
            same(1, rows(seen.executeQuery("SELECT a FROM jdbc_seen")), "rows after it");
            String[][] errors = {
                {"SELECT * FROM nope", "42P01"}, {"SELECT nope", "42703"}, {"SELECT 'a'::int", "22P02"}, {"SELEC", "42601"}
            };
            for (String[] error : errors) {
                fails(statement, error[0], error[1]);
                fails(statement, "SELECT 1", "25P02");
                connection.rollback();
            }
        }
    }

    static void fails(Statement statement, String text, String state) {
        try {
            statement.execute(text);
        } catch (SQLException error) {
            same(state, error.getSQLState(), text);
            return;
        }
        throw new AssertionError(text + " did not fail");
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
        ResultSet imported = about.getImportedKeys(null, "default", "jdbc_child");
        same(true, imported.next(), "a foreign key");
        same("jdbc_parent.id", imported.getString("PKTABLE_NAME") + "." + imported.getString("PKCOLUMN_NAME"), "what it points at");
        same("parent", imported.getString("FKCOLUMN_NAME"), "its column");
        same("jdbc_parent_pkey", imported.getString("PK_NAME"), "the key that it points at");
        same(false, imported.next(), "one foreign key");
        same(1, rows(about.getExportedKeys(null, "default", "jdbc_parent")), "who points at a key");
        same(1, rows(about.getIndexInfo(null, "default", "jdbc_parent", true, false)), "a unique index");
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
            types(connection);
            try (Connection other =
                    DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
                transactions(connection, other);
            }
            metadata(connection);
            million(connection);
        }
    }
}
