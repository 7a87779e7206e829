// The PostgreSQL JDBC driver on `millrace serve`: types, parameters, batches, fetch size, errors.
import java.math.BigDecimal;
import java.sql.Connection;
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
        }
    }
}
