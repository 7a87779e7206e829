import java.nio.file.Files;
import java.nio.file.Path;
import org.codelibs.elasticsearch.runner.ElasticsearchClusterRunner;

/** One node of Elasticsearch on loopback: DIR PORT. Ends with the process; makes DIR/ready when it answers. */
public class Elasticsearch {
    public static void main(String[] args) throws Exception {
        ElasticsearchClusterRunner runner = new ElasticsearchClusterRunner();
        runner.onBuild((number, settings) -> {
            settings.put("discovery.type", "single-node");
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", args[1]);
            settings.put("transport.port", "0");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
        });
        Path data = Path.of(args[0], "data");
        runner.build(ElasticsearchClusterRunner.newConfigs().basePath(data.toString()).numOfNode(1).clusterName("millrace")
            .disableESLogger());
        runner.ensureYellow();
        Files.writeString(Path.of(args[0], "ready"), "");
        Thread.currentThread().join();
    }
}
