import io.trino.server.testing.TestingTrinoServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/** One node of Trino on loopback, without catalogs: DIR PORT. Ends with the process; makes DIR/ready when it answers. */
public class Trino {
    public static void main(String[] args) throws Exception {
        TestingTrinoServer server = TestingTrinoServer.builder()
            .setBaseDataDir(Optional.of(Path.of(args[0], "data")))
            .setProperties(Map.of("http-server.http.port", args[1]))
            .build();
        Files.writeString(Path.of(args[0], "ready"), server.getBaseUrl().toString());
        Thread.currentThread().join();
    }
}
