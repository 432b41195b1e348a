import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * `topic/count` with Kafka Streams: a count and a sum for each key in a store on disk, exactly once, and an output for
 * each message. Answers each line `{ source, sink, count }` on its input with `{ seconds }`: from the first message
 * until the positions of all are committed, which the outputs are in one transaction with.
 */
public class Streams {
  static final ObjectMapper json = new ObjectMapper();

  /** What is known of the time of a round. */
  static class Round {
    final long count;
    final CountDownLatch all = new CountDownLatch(1);
    long seen = 0;
    volatile long started = 0;

    Round(long count) {
      this.count = count;
    }

    void message() {
      if (seen == 0) started = System.nanoTime();
      if (++seen == count) all.countDown();
    }
  }

  static class Count implements Processor<String, byte[], String, byte[]> {
    final Round round;
    ProcessorContext<String, byte[]> context;
    KeyValueStore<String, byte[]> totals;

    Count(Round round) {
      this.round = round;
    }

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
      this.context = context;
      totals = context.getStateStore("totals");
    }

    @Override
    public void process(Record<String, byte[]> message) {
      try {
        round.message();
        byte[] before = totals.get(message.key());
        long n = 0, sum = 0;
        if (before != null) {
          var read = json.readTree(before);
          n = read.get("n").longValue();
          sum = read.get("sum").longValue();
        }
        ObjectNode next = json.createObjectNode();
        next.put("n", n + 1);
        next.put("sum", sum + json.readTree(message.value()).get("n").longValue());
        byte[] bytes = json.writeValueAsBytes(next);
        totals.put(message.key(), bytes);
        context.forward(message.withValue(bytes));
      } catch (java.io.IOException error) {
        throw new RuntimeException(error);
      }
    }
  }

  static void checkOutputs(Admin admin, String sink, long count) throws Exception {
    var described = admin.describeTopics(List.of(sink)).allTopicNames().get().get(sink);
    Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
    for (var it : described.partitions()) latest.put(new TopicPartition(sink, it.partition()), OffsetSpec.latest());
    long stored = 0;
    for (var it : admin.listOffsets(latest).all().get().values()) stored += it.offset();
    // The ends of transactions have offsets, too.
    if (stored < count) throw new IllegalStateException("There are " + stored + " outputs of " + count);
  }

  static double count(String source, String sink, long count) throws Exception {
    String brokers = System.getenv("KAFKA_BROKERS");
    String id = "bench-" + UUID.randomUUID();
    File folder = Files.createTempDirectory(id).toFile();
    Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, id);
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, folder.getPath());
    properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    properties.put("auto.offset.reset", "earliest");
    Round round = new Round(count);
    Topology topology = new Topology();
    var text = Serdes.String();
    var bytes = Serdes.ByteArray();
    topology.addSource("source", text.deserializer(), bytes.deserializer(), source);
    topology.addProcessor("count", () -> new Count(round), "source");
    var store = Stores.persistentKeyValueStore("totals");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(store, text, bytes).withCachingEnabled(), "count");
    topology.addSink("sink", sink, text.serializer(), bytes.serializer(), "count");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", brokers));
        KafkaStreams streams = new KafkaStreams(topology, properties)) {
      streams.start();
      round.all.await();
      long committed = 0;
      while (committed < count) {
        committed = admin.listConsumerGroupOffsets(id).partitionsToOffsetAndMetadata().get().values().stream()
            .mapToLong(OffsetAndMetadata::offset).sum();
        if (committed < count) Thread.sleep(2);
      }
      double seconds = (System.nanoTime() - round.started) / 1e9;
      checkOutputs(admin, sink, count);
      return seconds;
    } finally {
      Utils.delete(folder);
    }
  }

  public static void main(String[] args) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      var request = json.readTree(line);
      double seconds = count(
          request.get("source").textValue(), request.get("sink").textValue(), request.get("count").longValue());
      System.out.println("{\"seconds\": " + seconds + "}");
    }
    System.exit(0);
  }
}
