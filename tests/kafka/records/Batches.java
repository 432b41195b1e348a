import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Scanner;
import net.jpountz.lz4.LZ4FrameOutputStream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.DefaultRecordBatch;
import org.apache.kafka.common.record.EndTransactionMarker;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.MutableRecordBatch;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.TimestampType;
import org.xerial.snappy.Snappy;

/**
 * Record batches as the Java client writes and reads them.
 *
 * <p>"write" prints batches: a line "name hex", then what they hold. "read" prints what the batches hold that
 * are on standard input, one line of hex each. To stay short, "read" and "write" print hashes of long bytes.
 */
public class Batches {
  static final long TIME = 1_700_000_000_000L;

  public static void main(String[] args) throws Exception {
    if (args[0].equals("write")) write();
    else for (Scanner in = new Scanner(System.in); in.hasNextLine();) dump(HexFormat.of().parseHex(in.nextLine()));
  }

  static void write() throws Exception {
    List<String> codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
    for (String codec : codecs) {
      MemoryRecordsBuilder builder = builder(2, codec, TimestampType.CREATE_TIME, 1L << 40, 7, false);
      appendVaried(builder, codec.equals("none") ? 20 : 2_000);
      print(codec, builder.build().buffer());
    }
    MemoryRecordsBuilder append = builder(2, "none", TimestampType.LOG_APPEND_TIME, 5, 7, false);
    append.append(12, bytes("key"), bytes("value"));
    append.append(TIME + 99, (byte[]) null, (byte[]) null);
    print("append-time", append.build().buffer());

    MemoryRecordsBuilder holes = builder(2, "lz4", TimestampType.CREATE_TIME, 100, -1, false);
    for (long offset : new long[] {103, 104, 170, 70_000}) holes.appendWithOffset(offset, TIME, bytes("k"), bytes("at " + offset));
    print("holes", holes.build().buffer());

    ByteBuffer transactions = ByteBuffer.allocate(1 << 16);
    long offset = 0;
    for (int i = 0; i < 6; i++) {
      for (long producer : new long[] {1, 2}) {
        MemoryRecordsBuilder part = builder(2, i == 3 ? "gzip" : "none", TimestampType.CREATE_TIME, offset, producer, true);
        part.append(TIME + i, bytes("producer " + producer), bytes("part " + i));
        transactions.put(part.build().buffer());
        offset++;
      }
      if (i % 2 == 0) continue;
      // Of producer 1 every second transaction is aborted, of producer 2 every one.
      for (long producer : new long[] {2, 1}) {
        ControlRecordType type = producer == 2 || i == 3 ? ControlRecordType.ABORT : ControlRecordType.COMMIT;
        transactions.put(MemoryRecords.withEndTransactionMarker(offset++, TIME, 4, producer, (short) 3, new EndTransactionMarker(type, 9)).buffer());
      }
    }
    print("transactions", transactions.flip());

    ByteBuffer emptied = ByteBuffer.allocate(1 << 10);
    DefaultRecordBatch.writeEmptyHeader(emptied, (byte) 2, 8, (short) 1, 30, 40, 49, 4, TimestampType.CREATE_TIME, TIME, false, false);
    DefaultRecordBatch.writeEmptyHeader(emptied, (byte) 2, 9, (short) 1, 30, 50, 50, 4, TimestampType.CREATE_TIME, TIME, true, true);
    print("emptied", emptied.flip());

    for (int format : new int[] {0, 1}) {
      TimestampType type = format == 0 ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME;
      MemoryRecordsBuilder old = builder(format, "gzip", type, 20, -1, false);
      for (int i = 0; i < 3; i++) old.append(format == 0 ? -1 : TIME, bytes("key"), bytes("value " + i));
      System.out.println("format-" + format + " " + hex(array(old.build().buffer())));
    }

    byte[] text = bytes("value 🐟, ".repeat(9_000));
    ByteArrayOutputStream frame = new ByteArrayOutputStream();
    LZ4FrameOutputStream.FLG.Bits[] flags = LZ4FrameOutputStream.FLG.Bits.values();
    LZ4FrameOutputStream.FLG.Bits[] known = Arrays.stream(flags).filter((bit) -> !bit.name().startsWith("RESERVED")).toArray(LZ4FrameOutputStream.FLG.Bits[]::new);
    try (OutputStream lz4 = new LZ4FrameOutputStream(frame, LZ4FrameOutputStream.BLOCKSIZE.SIZE_64KB, text.length, known)) {
      lz4.write(text);
    }
    System.out.println("lz4-checksums " + hex(frame.toByteArray()));
    System.out.println("snappy-block " + hex(Snappy.compress(text)));
  }

  /** Keys, values and headers that are null, empty, short or long; times before the first one; varied content. */
  static void appendVaried(MemoryRecordsBuilder builder, int large) {
    Random random = new Random(5);
    for (int i = 0; i < 60; i++) {
      List<Header> headers = new ArrayList<>();
      if (i % 3 == 0) {
        headers.add(new RecordHeader("a", bytes("1")));
        headers.add(new RecordHeader("a", bytes("2")));
        headers.add(new RecordHeader("7", null));
        headers.add(new RecordHeader("na\u00efve-\u2602", new byte[] {0, (byte) 255}));
        headers.add(new RecordHeader("constructor", bytes("x")));
        headers.add(new RecordHeader("", new byte[0]));
      }
      byte[] key = i % 7 == 0 ? null : i % 7 == 1 ? new byte[0] : bytes("key-" + i);
      byte[] value = i % 5 == 0 ? null : i % 5 == 1 ? new byte[0] : bytes("{\"user\":\"u" + i * 7919 % 100 + "\",\"amount\":" + i + "}");
      if (i == 32) value = bytes("x".repeat(100 * large));
      if (i == 37) random.nextBytes(value = new byte[1_500]);
      if (i == 42) value = bytes("abcdefghij".repeat(4 * large));
      long time = i % 11 == 1 ? 0 : i % 11 == 2 ? TIME * 1_000 : i % 11 == 3 ? (1L << 53) - 1 : TIME - i * 100_000L;
      builder.append(time, key, value, headers.toArray(new Header[0]));
    }
  }

  static MemoryRecordsBuilder builder(int format, String codec, TimestampType type, long base, long producer, boolean transactional) {
    int sequence = producer < 0 ? -1 : Integer.MAX_VALUE;
    return MemoryRecords.builder(
        ByteBuffer.allocate(1 << 20), (byte) format, Compression.of(codec).build(), type, base, TIME + 5, producer,
        (short) (producer < 0 ? -1 : 3), sequence, transactional, 4);
  }

  static void print(String name, ByteBuffer batches) throws Exception {
    byte[] array = array(batches);
    System.out.println(name + " " + hex(array));
    dump(array);
  }

  static void dump(byte[] array) throws Exception {
    for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(array)).batches()) {
      batch.ensureValid();
      System.out.println(String.join(" ", "batch", "" + batch.baseOffset(), "" + batch.lastOffset(), "" + batch.producerId(),
          "" + batch.producerEpoch(), "" + batch.baseSequence(), "" + batch.countOrNull(), batch.compressionType().name,
          batch.isTransactional() ? "transactional" : "-", batch.isControlBatch() ? "control" : "-"));
      if (batch.isControlBatch()) continue;
      for (Record record : batch) {
        record.ensureValid();
        StringBuilder headers = new StringBuilder();
        for (Header header : record.headers()) headers.append(hex(bytes(header.key()))).append("=").append(shown(header.value())).append(";");
        System.out.println(String.join(" ", "record", "" + record.offset(), "" + record.timestamp(), shown(array(record.key())),
            shown(array(record.value())), headers.toString()).trim());
      }
    }
  }

  static String shown(byte[] bytes) throws Exception {
    if (bytes == null) return "null";
    if (bytes.length <= 64) return "0x" + hex(bytes);
    return bytes.length + ":" + hex(MessageDigest.getInstance("SHA-256").digest(bytes));
  }

  static byte[] array(ByteBuffer buffer) {
    if (buffer == null) return null;
    byte[] array = new byte[buffer.remaining()];
    buffer.duplicate().get(array);
    return array;
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
