package org.bmojo.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.LocalOutputFile;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ParquetSourceTest {
  private static final MessageType SCHEMA =
      MessageTypeParser.parseMessageType(
          """
          message rows {
            required int64 id;
            optional binary text (STRING);
            required binary body (STRING);
            optional binary raw;
            optional group tags (LIST) { repeated group list { optional binary element (STRING); } }
          }
          """);

  @TempDir Path home = Path.of("");

  /** Several row groups and pages; every third text is null, every fifth empty. */
  private Path file(CompressionCodecName codec, int rows) throws IOException {
    Path file = home.resolve("corpus.parquet");
    Files.deleteIfExists(file);
    try (ParquetWriter<Group> writer =
        ExampleParquetWriter.builder(new LocalOutputFile(file))
            .withConf(new PlainParquetConfiguration())
            .withType(SCHEMA)
            .withCompressionCodec(codec)
            .withRowGroupSize(4096L)
            .withPageSize(256)
            .build()) {
      SimpleGroupFactory groups = new SimpleGroupFactory(SCHEMA);
      for (int i = 1; i <= rows; i++) {
        Group row = groups.newGroup().append("id", (long) i);
        if (i % 3 != 0) row.append("text", i % 5 == 0 ? "" : "document " + i + " für alle\n");
        writer.write(row.append("body", "b" + i));
      }
    }
    return file;
  }

  @ParameterizedTest
  @EnumSource(
      value = CompressionCodecName.class,
      names = {"UNCOMPRESSED", "ZSTD", "SNAPPY"})
  void rowsAreDocuments(CompressionCodecName codec) throws IOException {
    Path file = file(codec, 207);
    List<String> wanted = new ArrayList<>();
    for (int i = 1; i <= 207; i++) {
      if (i % 3 != 0 && i % 5 != 0) {
        wanted.add("corpus.parquet#" + i + ": document " + i + " für alle\n");
      }
    }
    assertThat(read(file.toString())).isEqualTo(wanted);
    assertThat(read(file + "#body")).hasSize(207).contains("corpus.parquet#13: b13");
  }

  /** As the hub keeps data sets: a folder of them, each file's rows by its path. */
  @Test
  void aFolderMayHoldThem() throws IOException {
    Files.createDirectory(home.resolve("data"));
    Files.move(file(CompressionCodecName.ZSTD, 2), home.resolve("data").resolve("part-0.parquet"));
    Files.writeString(home.resolve("data").resolve("readme.md"), "read me");
    assertThat(read(home.resolve("data").toString()))
        .containsExactly(
            "part-0.parquet#1: document 1 für alle\n",
            "part-0.parquet#2: document 2 für alle\n",
            "readme.md: read me");
  }

  @Test
  void otherColumnsAreRefused() throws IOException {
    Path file = file(CompressionCodecName.ZSTD, 13);
    refuses(file + "#content", "no column \"content\", but [id, text, body, raw, tags]");
    refuses(file + "#id", "no string in the column \"id\"");
    refuses(file + "#raw", "no string in the column \"raw\"");
    refuses(file + "#tags", "no string in the column \"tags\"");
    refuses(file(CompressionCodecName.ZSTD, 0).toString(), "holds no text");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 13, 63, 207})
  void aCutFileIsRefused(int length) throws IOException {
    Path file = file(CompressionCodecName.ZSTD, 63);
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, length));
    refuses(file.toString(), "corpus.parquet");
  }

  @Test
  void gzipIsUnpackedAndWhatIsUnknownRefused() throws IOException {
    Path file = home.resolve("a");
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write(new byte[] {1, 2, 3});
    }
    ParquetCodecs codecs = new ParquetCodecs(file);
    BytesInput bytes = BytesInput.from(packed.toByteArray());
    assertThat(codecs.getDecompressor(CompressionCodecName.GZIP).decompress(bytes, 3).toByteArray())
        .containsExactly(1, 2, 3);
    assertThatThrownBy(() -> codecs.getDecompressor(CompressionCodecName.BROTLI))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("packed with BROTLI");
  }

  private static List<String> read(String spec) {
    List<String> found = new ArrayList<>();
    TextSource.of(spec).forEach(d -> found.add(d.name() + ": " + d.text()));
    return found;
  }

  private static void refuses(String spec, String words) {
    assertThatThrownBy(() -> read(spec)).isInstanceOf(BadInput.class).hasMessageContaining(words);
  }
}
