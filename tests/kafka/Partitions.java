import java.nio.charset.StandardCharsets;
import java.util.Scanner;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

/** Prints the partition that the Java client gives to each key on standard input, of args[0] partitions. */
public class Partitions {
  public static void main(String[] args) {
    Scanner keys = new Scanner(System.in, StandardCharsets.UTF_8);
    while (keys.hasNextLine()) {
      byte[] key = keys.nextLine().getBytes(StandardCharsets.UTF_8);
      System.out.println(BuiltInPartitioner.partitionForKey(key, Integer.parseInt(args[0])));
    }
  }
}
