import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * args: "write" or "read", the brokers, a topic with four partitions.
 *
 * "write" mixes what one idempotent and three transactional producers write, and ends partition 0 with a commit,
 * 1 with an abort, 2 with a transaction that stays open, and 3 with a plain record. "read" prints what Java's
 * consumer reads of committed records, and its final positions.
 */
public class Transactions {
  static final int PARTITIONS = 4;
  static final Random random = new Random(14);
  static int count = 0;

  static class Writer {
    final KafkaProducer<byte[], byte[]> producer;
    final boolean transactional;
    boolean open = false;

    Writer(String brokers, String id) {
      Properties properties = new Properties();
      properties.put("bootstrap.servers", brokers);
      properties.put("linger.ms", "0");
      if (id != null) {
        properties.put("transactional.id", id);
        properties.put("transaction.timeout.ms", "600000");
      }
      producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
      transactional = id != null;
      if (transactional) producer.initTransactions();
    }

    void send(String topic, int partition) {
      if (transactional && !open) {
        producer.beginTransaction();
        open = true;
      }
      // The first is what a reader that does not look at the attributes takes for the mark of an abort.
      byte[] key = random.nextInt(12) == 0 ? new byte[4] : utf8("k" + random.nextInt(12));
      byte[] value = random.nextInt(15) == 0 ? null : utf8("v" + count++);
      producer.send(new ProducerRecord<>(topic, partition, key, value));
      producer.flush();
    }

    void end(boolean commit) {
      if (!open) return;
      if (commit) producer.commitTransaction();
      else producer.abortTransaction();
      open = false;
    }
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static String hex(byte[] bytes) {
    if (bytes == null) return "null";
    StringBuilder text = new StringBuilder("x");
    for (byte b : bytes) text.append(String.format("%02x", b));
    return text.toString();
  }

  static void write(String brokers, String topic) throws Exception {
    List<Writer> writers = new ArrayList<>();
    writers.add(new Writer(brokers, null));
    for (int i = 0; i < 3; i++) writers.add(new Writer(brokers, topic + "-" + i));
    for (int i = 0; i < 400; i++) {
      Writer writer = writers.get(random.nextInt(writers.size()));
      switch (random.nextInt(6)) {
        case 0 -> writer.end(true);
        case 1 -> writer.end(false);
        default -> writer.send(topic, random.nextInt(PARTITIONS));
      }
      // So that segments end, which may be compacted then.
      if (i % 100 == 99) Thread.sleep(150);
    }
    for (Writer writer : writers) writer.end(true);
    writers.get(0).send(topic, 3);
    writers.get(1).send(topic, 0);
    writers.get(1).end(true);
    writers.get(2).send(topic, 1);
    writers.get(2).end(false);
    writers.get(3).send(topic, 2);
    writers.get(0).send(topic, 2);
    System.out.println(count);
    System.out.flush();
    Runtime.getRuntime().halt(0); // the last transaction stays open
  }

  static void read(String brokers, String topic) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", brokers);
    properties.put("isolation.level", "read_committed");
    try (var consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions = new ArrayList<>();
      for (int i = 0; i < PARTITIONS; i++) partitions.add(new TopicPartition(topic, i));
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      Map<Integer, List<String>> lines = new TreeMap<>();
      long deadline = System.currentTimeMillis() + 60_000;
      while (!partitions.stream().allMatch(it -> consumer.position(it) >= ends.get(it))) {
        if (System.currentTimeMillis() > deadline) throw new IllegalStateException("read no further");
        for (ConsumerRecord<byte[], byte[]> it : consumer.poll(Duration.ofMillis(100))) {
          lines.computeIfAbsent(it.partition(), (key) -> new ArrayList<>()).add(
              it.partition() + " " + it.offset() + " " + hex(it.key()) + " " + hex(it.value()));
        }
      }
      for (List<String> its : lines.values()) its.forEach(System.out::println);
      for (TopicPartition it : partitions) {
        System.out.println("position " + it.partition() + " " + consumer.position(it));
      }
    }
  }

  public static void main(String[] args) throws Exception {
    if (args[0].equals("write")) write(args[1], args[2]);
    else read(args[1], args[2]);
  }
}
