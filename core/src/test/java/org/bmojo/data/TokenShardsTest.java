package org.bmojo.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.text.ByteTokenizer;
import org.bmojo.text.StreamingDecoder;
import org.bmojo.text.Tokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenShardsTest {
  @TempDir Path home = Path.of("");
  private final Tokenizer bytes = new ByteTokenizer();

  @ParameterizedTest
  @CsvSource({"1, 1, 0", "2, 13, 0.3", "63, 207, 0.1", "207, 5000, 0.2"})
  void everyDocumentComesBackOnceInItsPart(int documents, int longest, double share) {
    TextSource source = Texts.random(documents, longest, 7);
    Split split = new Split(share, 3);
    Path folder = home.resolve("shards");
    // Small shards, so that there are several.
    new ShardWriter(bytes, split, 1000).write(folder, source);
    for (Split.Part part : Split.Part.values()) {
      List<String> texts = new ArrayList<>();
      source.forEach(d -> {
        if (split.of(d.name()) == part) texts.add(d.text());
      });
      assertThat(TokenShards.exist(folder, part)).isEqualTo(!texts.isEmpty());
      if (texts.isEmpty()) continue;
      assertThat(read(folder, part, bytes)).containsExactlyInAnyOrderElementsOf(texts);
      try (TokenShards shards = TokenShards.open(folder, part, bytes)) {
        shards.verify();
        long length = texts.stream().mapToLong(String::length).sum();
        assertThat(shards.documents()).isEqualTo(texts.size());
        assertThat(shards.textBytes()).isEqualTo(length);
        assertThat(shards.tokens()).isEqualTo(length + texts.size());
        if (documents == 207) assertThat(shards.shardCount()).isGreaterThan(13);
      }
    }
  }

  @Test
  void theSeedAloneDecidesTheOrder() throws IOException {
    TextSource source = Texts.random(63, 13, 1);
    for (long seed : new long[] {1, 1, 2}) {
      Path folder = home.resolve("s" + seed);
      byte[] before = Files.exists(folder) ? content(folder) : new byte[0];
      TokenShards.write(folder, source, bytes, new Split(0, seed));
      if (before.length > 0) assertThat(content(folder)).isEqualTo(before);
    }
    List<String> inOrder = new ArrayList<>();
    source.forEach(d -> inOrder.add(d.text()));
    List<String> one = read(home.resolve("s1"), Split.Part.TRAIN, bytes);
    List<String> two = read(home.resolve("s2"), Split.Part.TRAIN, bytes);
    assertThat(one)
        .isNotEqualTo(inOrder)
        .isNotEqualTo(two)
        .containsExactlyInAnyOrderElementsOf(two);
  }

  @ParameterizedTest
  @ValueSource(ints = {257, 1 << 16, (1 << 16) + 1, Integer.MAX_VALUE})
  void largeVocabulariesTakeFourBytes(int vocabulary) {
    Tokenizer spread = new Spread(vocabulary);
    Path folder = home.resolve("shards");
    TokenShards.write(folder, Texts.random(13, 63, 5), spread, new Split(0, 0));
    List<String> texts = new ArrayList<>();
    Texts.random(13, 63, 5).forEach(d -> texts.add(d.text()));
    assertThat(read(folder, Split.Part.TRAIN, spread)).containsExactlyInAnyOrderElementsOf(texts);
  }

  /** What is left of several shards when one is damaged, in its tokens or at its end. */
  @Test
  void damagedShardsCanBeLeftOut() throws IOException {
    Path folder = home.resolve("shards");
    TokenShards.write(folder, Texts.random(207, 2000, 1), bytes, new Split(0, 0), 60_000);
    long all;
    int count;
    try (TokenShards s = TokenShards.open(folder, Split.Part.TRAIN, bytes)) {
      all = s.tokens();
      count = s.shardCount();
    }
    assertThat(count).isGreaterThan(2);
    Path file = folder.resolve("train-00001.tokens");
    byte[] sound = Files.readAllBytes(file);
    for (int at : new int[] {0, 80 + 13, sound.length - 1}) {
      byte[] damaged = sound.clone();
      damaged[at] ^= 4;
      Files.write(file, damaged);
      List<String> said = new ArrayList<>();
      try (TokenShards s =
          TokenShards.openSound(folder, Split.Part.TRAIN, bytes, e -> said.add(e.getMessage()))) {
        assertThat(s.shardCount()).isEqualTo(count - 1);
        assertThat(s.tokens()).isBetween(1L, all - 1);
        s.verify();
      }
      assertThat(said).singleElement().asString().contains(file.toString());
    }
  }

  /** One bit flipped anywhere is found, and tokens are not read from a block that has it. */
  @Test
  void damageIsFoundAndPlaced() throws IOException {
    Path folder = home.resolve("shards");
    TokenShards.write(folder, Texts.random(207, 2000, 1), bytes, new Split(0, 0));
    Path file = folder.resolve("train-00000.tokens");
    byte[] sound = Files.readAllBytes(file);
    long tokens = (sound.length - 80L) / 2;
    assertThat(tokens * 2).isGreaterThan(3 * ShardHeader.BLOCK);
    for (int at : new int[] {0, 9, 40, 77, 80, 80 + 3 * ShardHeader.BLOCK - 1, sound.length - 1}) {
      byte[] damaged = sound.clone();
      damaged[at] ^= 4;
      Files.write(file, damaged);
      int block = (at - 80) / ShardHeader.BLOCK * ShardHeader.BLOCK + 80;
      boolean inTokens = at >= 80 && at < sound.length - 1;
      assertThatThrownBy(
              () -> {
                try (TokenShards s = TokenShards.open(folder, Split.Part.TRAIN, bytes)) {
                  s.verify();
                }
              })
          .isInstanceOf(BadInput.class)
          .hasMessageContaining(file.toString())
          .hasMessageContaining(inTokens ? "damaged between byte " + block : "");
    }
    byte[] damaged = sound.clone();
    damaged[80 + ShardHeader.BLOCK] ^= 1;
    Files.write(file, damaged);
    assertThatThrownBy(() -> read(folder, Split.Part.TRAIN, bytes))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("between byte " + (80 + ShardHeader.BLOCK));
  }

  @Test
  void truncatedForeignAndNewerFilesAreRefused() throws IOException {
    Path folder = home.resolve("shards");
    TokenShards.write(folder, Texts.random(13, 63, 1), bytes, new Split(0, 0));
    Path file = folder.resolve("train-00000.tokens");
    byte[] sound = Files.readAllBytes(file);
    for (int n : new int[] {0, 1, 79, 80, 81, sound.length - 1}) {
      Files.write(file, Arrays.copyOf(sound, n));
      refuses(folder, bytes, file.toString());
    }
    Files.write(file, Arrays.copyOf(sound, sound.length + 8));
    refuses(folder, bytes, "expected " + sound.length);
    byte[] newer = sound.clone();
    newer[8] = 2;
    Files.write(file, newer);
    refuses(folder, bytes, "Update this program");
  }

  @Test
  void halfASetAndAMixedSetAreRefused() throws IOException {
    Path folder = home.resolve("a");
    Path other = home.resolve("b");
    new ShardWriter(bytes, new Split(0, 1), 100).write(folder, Texts.random(13, 63, 1));
    new ShardWriter(bytes, new Split(0, 2), 100).write(other, Texts.random(13, 63, 1));
    Path second = folder.resolve("train-00001.tokens");
    byte[] mine = Files.readAllBytes(second);
    Files.delete(second);
    refuses(folder, bytes, "expected shard 0 of");
    Files.copy(other.resolve("train-00001.tokens"), second);
    refuses(folder, bytes, "train-00001.tokens is shard 1 of");
    Files.write(second, mine);
    TokenShards.open(folder, Split.Part.TRAIN, bytes).close();
  }

  @Test
  void anotherTokenizerIsRefused() {
    Path folder = home.resolve("shards");
    TokenShards.write(folder, Texts.random(13, 63, 1), bytes, new Split(0, 0));
    refuses(folder, new Spread(1000), "made with another tokenizer, of 257 ids");
  }

  @Test
  void aSourceThatFailsHalfwayLeavesTheOldShards() throws IOException {
    Path folder = home.resolve("shards");
    TokenShards.write(folder, Texts.random(13, 63, 1), bytes, new Split(0, 0));
    byte[] before = content(folder);
    TextSource failing =
        action -> {
          Texts.random(5, 63, 2).forEach(action);
          throw new BadInput("line 6", "text", "mend it");
        };
    TextSource fullDisk =
        _ -> {
          throw new UncheckedIOException(new IOException("No space left on device"));
        };
    for (TextSource source : new TextSource[] {failing, fullDisk}) {
      assertThatThrownBy(() -> TokenShards.write(folder, source, bytes, new Split(0, 0)))
          .isInstanceOf(BadInput.class);
      assertThat(content(folder)).isEqualTo(before);
    }
    try (Stream<Path> all = Files.list(home)) {
      assertThat(all).containsExactly(folder);
    }
  }

  @Test
  void nothingToTrainOnOrToHoldOutIsSaid() {
    Path folder = home.resolve("shards");
    TextSource one = Texts.random(1, 13, 1);
    assertThatThrownBy(() -> TokenShards.write(folder, one, bytes, new Split(0.999999, 1)))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("all 1 documents are held out");
    assertThat(folder).doesNotExist();
    TokenShards.write(folder, one, bytes, new Split(0, 1));
    assertThatThrownBy(() -> TokenShards.open(folder, Split.Part.VALIDATION, bytes))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll("no validation shards", "larger validation share");
  }

  private static List<String> read(Path folder, Split.Part part, Tokenizer tokenizer) {
    List<String> texts = new ArrayList<>();
    try (TokenShards shards = TokenShards.open(folder, part, tokenizer)) {
      for (long i = 0; i < shards.documents(); i++) {
        TokenDocument document = shards.document(i);
        int last = document.tokens().length - 1;
        assertThat(document.tokens()[last]).isEqualTo(tokenizer.endOfDocument());
        String text = tokenizer.decode(Arrays.copyOf(document.tokens(), last));
        assertThat(document.textBytes()).isEqualTo(text.length());
        texts.add(text);
      }
    }
    return texts;
  }

  private static byte[] content(Path folder) throws IOException {
    return Files.readAllBytes(folder.resolve("train-00000.tokens"));
  }

  private static void refuses(Path folder, Tokenizer tokenizer, String message) {
    assertThatThrownBy(() -> TokenShards.open(folder, Split.Part.TRAIN, tokenizer).close())
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(message);
  }

  /** Bytes at the far end of a vocabulary of any size. */
  private record Spread(int vocabulary) implements Tokenizer {
    @Override
    public String name() {
      return "spread-" + vocabulary;
    }

    @Override
    public int endOfDocument() {
      return vocabulary - 1;
    }

    @Override
    public long fingerprint() {
      return vocabulary;
    }

    @Override
    public int[] encode(String text) {
      return text.chars().map(c -> vocabulary - 2 - c).toArray();
    }

    @Override
    public String decode(int... ids) {
      StringBuilder text = new StringBuilder();
      for (int id : ids) text.append((char) (vocabulary - 2 - id));
      return text.toString();
    }

    @Override
    public StreamingDecoder streaming() {
      throw new AssertionError("unused");
    }

    @Override
    public void save(Path folder) {
      throw new AssertionError("unused");
    }
  }
}
