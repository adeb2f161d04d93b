package org.bmojo.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TextSourceTest {
  @TempDir Path home = Path.of("");

  @Test
  void aFolderGivesItsTextsByPath() throws IOException {
    file("b.txt", "bee");
    file("a/z.java", "zed");
    file("a.txt", "\uFEFFay");
    file("empty.txt", "");
    file(".git/config", "hidden");
    file("c/.hidden", "hidden");
    Files.write(home.resolve("x.class"), new byte[] {(byte) 0xca, (byte) 0xfe, 0, 1});
    Files.write(home.resolve("latin1.txt"), new byte[] {'n', 'a', (byte) 0xef, 'v', 'e'});
    Map<String, String> expected = new LinkedHashMap<>();
    expected.put("a.txt", "ay");
    expected.put("a/z.java", "zed");
    expected.put("b.txt", "bee");
    assertThat(read(TextSource.of(home)).entrySet()).containsExactlyElementsOf(expected.entrySet());
  }

  @Test
  void aZipGivesWhatTheFolderDoes() throws IOException {
    Path zip = home.resolve("t.jar");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
      for (String name : new String[] {"b/", "b/x", "a", "bin"}) {
        out.putNextEntry(new ZipEntry(name));
        if (!name.endsWith("/")) out.write(name.equals("bin") ? new byte[1] : utf8("is " + name));
      }
    }
    assertThat(read(TextSource.of(zip)))
        .containsExactly(Map.entry("a", "is a"), Map.entry("b/x", "is b/x"));
  }

  @Test
  void aFileIsCutIntoPartsAtLineEnds() throws IOException {
    StringBuilder text = new StringBuilder();
    for (int i = 0; text.length() < 100_000; i++) text.append("line ü ").append(i).append('\n');
    Path plain = file("book.txt", text.toString());
    Path gz = home.resolve("book.txt.gz");
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(gz))) {
      out.write(utf8(text.toString()));
    }
    for (Path path : new Path[] {plain, gz}) {
      Map<String, String> parts = read(TextSource.of(path));
      assertThat(String.join("", parts.values())).isEqualTo(text.toString());
      assertThat(parts)
          .hasSizeBetween(15, 30)
          .allSatisfy((_, part) -> assertThat(part).endsWith("\n"));
      assertThat(parts.keySet().iterator().next()).isEqualTo(path.getFileName() + "#00000");
    }
    assertThat(read(TextSource.of(file("note.txt", "short"))))
        .containsExactly(Map.entry("note.txt", "short"));
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 5, 13, 63, 207})
  void partsLoseNothingAndCutNoCharacter(int size) throws IOException {
    String text = "ü🦆".repeat(207) + "\n\n\nab\n" + "x".repeat(63) + "\nend";
    var in = new ByteArrayInputStream(utf8(text));
    Parts parts = new Parts(in, size);
    StringBuilder joined = new StringBuilder();
    for (byte[] part = parts.next(); part != null; part = parts.next()) {
      assertThat(part.length).isBetween(1, 2 * size);
      assertThat(PlainText.firstFault(part)).isEqualTo(-1);
      joined.append(new String(part, StandardCharsets.UTF_8));
      assertThat(parts.exhausted()).isEqualTo(joined.length() == text.length());
    }
    assertThat(joined.toString()).isEqualTo(text);
  }

  @Test
  void jsonLinesGiveOneField() throws IOException {
    String lines =
        """
        {"id": 1, "text": "one", "more": {"text": ["no"]}}

        {"text": "", "id": 2}
        {"text": "th\\u00fcree\\n", "id": 3}
        """;
    Path plain = file("c.jsonl", lines);
    Path gz = home.resolve("c.jsonl.gz");
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(gz))) {
      out.write(utf8(lines));
    }
    assertThat(read(TextSource.of(plain.toString())))
        .containsExactly(Map.entry("c.jsonl#1", "one"), Map.entry("c.jsonl#4", "thüree\n"));
    assertThat(read(TextSource.of(gz + "#text"))).hasSize(2);
    refuses(plain + "#body", "line 1 has no \"body\", but [id, more, text]");
    refuses(plain + "#id", "line 1 has VALUE_NUMBER_INT");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"text\":\"a\"} [] | line 1 is no JSON object",
        "{\"text\":\"a\" | c.jsonl is not the JSON",
        "{\"text\":\"a\",\"text\":\"b\"} | uplicate",
        "{\"text\":\"a\\u0000\"} | has a NUL",
        "{\"text\":\"\"} | holds no text",
        "`` | holds no text",
      })
  void badJsonLinesAreRefusedWithTheirLine(String lines, String message) throws IOException {
    refuses(file("c.jsonl", lines).toString(), message);
  }

  @Test
  void binaryEmptyAndAbsentAreRefused() throws IOException {
    refuses(file("empty.txt", "").toString(), "holds no text");
    refuses(file("nul.txt", "x".repeat(9) + "\u0000").toString(), "byte 9 is NUL");
    Path latin1 = Files.write(home.resolve("latin1.txt"), new byte[] {'a', 'b', (byte) 0xe9, 'c'});
    refuses(latin1.toString(), "byte 2 is NUL or no UTF-8");
    refuses(home.resolve("absent").toString(), "does not exist");
    refuses(home.resolve("absent") + "#field", "names a field");
    refuses(file("t.zip", "no zip").toString(), "not a sound zip");
    refuses(file("t.gz", "no gzip at all, really").toString(), "could not be read");
    Path folder = Files.createDirectory(home.resolve("folder"));
    refuses(folder.toString(), "holds no text");
    assertThatThrownBy(() -> JdkSource.of(folder))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll("without its source code", "src.zip", "openjdk-25-source");
  }

  /** Faults deep in a long text are found where they are, behind ASCII or not. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7, 8, 13, 8190, 8191, 8192, 20_000})
  void faultsAreFoundWhereTheyAre(int at) {
    for (String before : new String[] {"a", "é"}) {
      byte[] text = utf8(before.repeat(at / before.length()));
      assertThat(PlainText.firstFault(text)).isEqualTo(-1);
      for (byte fault : new byte[] {0, (byte) 0xff, (byte) 0x80}) {
        byte[] broken = Arrays.copyOf(text, text.length + 13);
        Arrays.fill(broken, text.length, broken.length, (byte) 'x');
        broken[text.length] = fault;
        assertThat(PlainText.firstFault(broken)).isEqualTo(text.length);
      }
    }
  }

  @Test
  void observersSeeEachDocument() throws IOException {
    file("a.txt", "a");
    file("b.txt", "b");
    List<String> seen = new ArrayList<>();
    TextSource.of(home).observed(d -> seen.add(d.name())).forEach(d -> seen.add(d.text()));
    assertThat(seen).containsExactly("a.txt", "a", "b.txt", "b");
  }

  private Path file(String name, String text) throws IOException {
    Path file = home.resolve(name);
    Files.createDirectories(home.resolve(name).resolve(".."));
    return Files.writeString(file, text);
  }

  private static Map<String, String> read(TextSource source) {
    Map<String, String> documents = new LinkedHashMap<>();
    source.forEach(d -> assertThat(documents.put(d.name(), d.text())).isNull());
    return documents;
  }

  private static void refuses(String spec, String message) {
    assertThatThrownBy(() -> TextSource.of(spec).forEach(_ -> {}))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(message);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
