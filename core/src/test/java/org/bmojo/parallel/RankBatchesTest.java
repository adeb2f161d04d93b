package org.bmojo.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bmojo.data.Document;
import org.bmojo.data.Split;
import org.bmojo.data.TokenBatches;
import org.bmojo.data.TokenShards;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.text.ByteTokenizer;
import org.bytedeco.javacpp.LongPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RankBatchesTest {
  private static final int CONTEXT = 13;

  @TempDir Path home = Path.of("");

  private TokenShards shards(int tokens) {
    byte[] text = new byte[tokens];
    for (int i = 0; i < tokens; i++) text[i] = (byte) ('a' + i * 7 % 26);
    Path folder = home.resolve("tokens");
    ByteTokenizer bytes = new ByteTokenizer();
    TokenShards.write(
        folder, action -> action.accept(new Document("one", text)), bytes, new Split(0, 1));
    return TokenShards.open(folder, Split.Part.TRAIN, bytes);
  }

  private static Ranks ranks(int rank, int size) {
    return size == 1 ? Ranks.ALONE : new Ranks(rank, size, 0, "here", 1);
  }

  private static RankBatches deal(
      TokenShards shards, int rank, int size, int batch, int accumulation) {
    TokenBatches all = new TokenBatches(shards, batch, CONTEXT, 9);
    return new RankBatches(all, ranks(rank, size), batch, accumulation);
  }

  /** Together the processes read what one alone does, row after row, and stand where it stands. */
  @ParameterizedTest
  @CsvSource({"1, 4, 1", "2, 4, 1", "2, 3, 3", "3, 4, 1", "5, 2, 6", "7, 7, 1", "4, 1, 4"})
  void allReadsAreTheWhole(int size, int batch, int accumulation) {
    try (TokenShards shards = shards(1000);
        Scope _ = new Scope()) {
      RankBatches alone = deal(shards, 0, 1, batch, accumulation);
      List<RankBatches> many = new ArrayList<>();
      for (int r = 0; r < size; r++) many.add(deal(shards, r, size, batch, accumulation));
      assertThat(many.stream().mapToDouble(RankBatches::share).sum()).isCloseTo(1, within(1e-12));
      for (int update = 0; update < 40; update++) { // several epochs
        List<List<Long>> found = new ArrayList<>();
        for (RankBatches one : many) {
          List<Batch> own = one.next();
          assertThat(own).allMatch(b -> b.ids().size(0) <= one.largest());
          assertThat(one.largest()).isLessThanOrEqualTo(batch);
          own.forEach(b -> found.addAll(rows(b)));
          assertThat(one.position()).isEqualTo(many.getFirst().position());
        }
        List<List<Long>> wanted = new ArrayList<>();
        alone.next().forEach(b -> wanted.addAll(rows(b)));
        assertThat(found).isEqualTo(wanted).hasSize(batch * accumulation);
        assertThat(many.getFirst().position()).isEqualTo(alone.position());
      }
    }
  }

  /** A process does not look at what others train on: damage there is not its business. */
  @Test
  void whatOthersReadIsNotRead() throws IOException {
    try (TokenShards sound = shards(200_000)) {
      assertThat(sound.tokens()).isGreaterThan(200_000);
    }
    Path file = home.resolve("tokens").resolve("train-00000.tokens");
    byte[] damaged = Files.readAllBytes(file);
    damaged[300_000] ^= 1;
    Files.write(file, damaged);
    int refused = 0;
    for (int rank = 0; rank < 2; rank++) {
      try (TokenShards shards =
              TokenShards.open(home.resolve("tokens"), Split.Part.TRAIN, new ByteTokenizer());
          Scope _ = new Scope()) {
        // Two sequences in all, of which one has the damage.
        TokenBatches all = new TokenBatches(shards, 2, 90_000, 9);
        assertThat(all.windows()).isEqualTo(2);
        try {
          new RankBatches(all, ranks(rank, 2), 2, 1).next();
        } catch (BadInput e) {
          assertThat(e).hasMessageContaining("damaged between byte");
          refused++;
        }
      }
    }
    assertThat(refused).isEqualTo(1);
  }

  @Test
  void moreProcessesThanSequencesAreRefused() {
    try (TokenShards shards = shards(1000)) {
      assertThatThrownBy(() -> deal(shards, 0, 5, 2, 2))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("5 processes for an update of 4 sequences")
          .hasMessageContaining("--accumulate");
    }
  }

  private static List<List<Long>> rows(Batch batch) {
    long[] ids = new long[(int) batch.ids().numel()];
    new LongPointer(batch.ids().data_ptr()).get(ids);
    List<List<Long>> rows = new ArrayList<>();
    for (int from = 0; from < ids.length; from += CONTEXT) {
      rows.add(Arrays.stream(ids, from, from + CONTEXT).boxed().toList());
    }
    return rows;
  }
}
