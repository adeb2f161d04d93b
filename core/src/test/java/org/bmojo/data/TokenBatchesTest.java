package org.bmojo.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.bmojo.data.BatchSource.Position;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.text.ByteTokenizer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenBatchesTest {
  @TempDir Path home = Path.of("");
  private TokenShards shards = open(20);

  @BeforeEach
  void several() {
    shards.close();
    shards = open(700);
  }

  private TokenShards open(int shardTokens) {
    ByteTokenizer bytes = new ByteTokenizer();
    Path folder = home.resolve("shards");
    new ShardWriter(bytes, new Split(0, 1), shardTokens).write(folder, Texts.random(63, 63, 1));
    return TokenShards.open(folder, Split.Part.TRAIN, bytes);
  }

  @AfterEach
  void close() {
    shards.close();
  }

  /** One epoch is every window once: inputs tile each shard but for less than one window. */
  @ParameterizedTest
  @CsvSource({"1, 1", "3, 13", "2, 63", "5, 207"})
  void anEpochIsEveryWindowOnce(int batch, int length) {
    TokenBatches batches = new TokenBatches(shards, batch, length, 9);
    List<Integer> all = tokens();
    Set<List<Long>> seen = new HashSet<>();
    long windows = batches.windows();
    assertThat(windows)
        .isBetween(
            (long) all.size() / length - 2L * shards.shardCount(), (long) all.size() / length);
    for (long w = 0; w + batch <= windows; w += batch) {
      try (Scope _ = new Scope()) {
        Batch next = batches.next();
        assertThat(next.inputs().shape()).containsExactly(batch, length);
        for (int b = 0; b < batch; b++) {
          List<Long> in = row(next.inputs(), b);
          List<Long> out = row(next.targets(), b);
          assertThat(out.subList(0, length - 1)).isEqualTo(in.subList(1, length));
          in.add(out.getLast());
          if (length >= 13) assertThat(seen.add(in)).as("window given twice").isTrue();
        }
      }
    }
    assertThat(batches.position().window()).isEqualTo(windows / batch * batch % windows);
  }

  /** A document begins with the shard and with every end-of-document id. */
  @ParameterizedTest
  @CsvSource({"1, 1", "3, 13", "2, 63", "5, 207"})
  void tellsWhereDocumentsBegin(int batch, int length) {
    int end = new ByteTokenizer().endOfDocument();
    TokenBatches batches = new TokenBatches(shards, batch, length, 9, true);
    TokenBatches joined = new TokenBatches(shards, batch, length, 9);
    int within = 0;
    for (long w = 0; w + batch <= batches.windows(); w += batch) {
      try (Scope _ = new Scope()) {
        Batch next = batches.next(), same = joined.next();
        assertThat(same.begin()).isNull();
        assertThat(same.inputs().equal(next.inputs())).isTrue();
        Tensor begin = Objects.requireNonNull(next.begin());
        assertThat(begin.scalar_type().intern()).isEqualTo(ScalarType.Int);
        for (int b = 0; b < batch; b++) {
          List<Long> ids = row(next.inputs(), b);
          List<Long> told = row(begin.to(ScalarType.Long), b);
          long last = told.getFirst();
          assertThat(last).isLessThanOrEqualTo(0);
          for (int t = 0; t < length; t++) {
            if (ids.get(t) == end) last = t;
            assertThat(told.get(t)).as("row %d, token %d", b, t).isEqualTo(last);
            if (last > 0) within++;
          }
        }
      }
    }
    if (length > 13) assertThat(within).isPositive();
  }

  /** Whatever the window, the first token's document begins as far back as it does. */
  @Test
  void countsBackBeyondTheWindow() {
    int end = new ByteTokenizer().endOfDocument();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment id = arena.allocate(8), told = arena.allocate(4);
      for (int s = 0; s < shards.shardCount(); s++) {
        int document = 0;
        for (int t = 0; t + 1 < shards.tokens(s); t++) { // the last has no next to predict
          shards.read(s, t, 1, id);
          if (id.get(ValueLayout.JAVA_LONG, 0) == end) document = t;
          shards.begins(s, t, 1, told);
          assertThat(told.get(ValueLayout.JAVA_INT, 0)).as("token " + t).isEqualTo(document - t);
        }
      }
    }
  }

  @Test
  void theTokensOfAnEpochAreThoseOfTheShards() {
    int length = 13;
    TokenBatches batches = new TokenBatches(shards, 1, length, 5);
    long[] counts = new long[257];
    for (long w = 0; w < batches.windows(); w++) {
      try (Scope _ = new Scope()) {
        row(batches.next().inputs(), 0).forEach(id -> counts[id.intValue()]++);
      }
    }
    tokens().forEach(id -> counts[id]--);
    long missing = -Arrays.stream(counts).sum();
    assertThat(Arrays.stream(counts)).allMatch(c -> c <= 0);
    assertThat(missing).isBetween(0L, (long) length * shards.shardCount());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 40})
  void seekingContinuesTheSameSequence(int stop) {
    TokenBatches through = new TokenBatches(shards, 5, 63, 3);
    List<List<Long>> expected = new ArrayList<>();
    Position position = Position.START;
    for (int i = 0; i < 60; i++) {
      if (i == stop) position = through.position();
      if (i >= stop) expected.add(next(through));
      else next(through);
    }
    assertThat(position.epoch()).isEqualTo(stop * 5L / through.windows());
    TokenBatches resumed = new TokenBatches(shards, 5, 63, 3);
    resumed.seek(position);
    for (List<Long> batch : expected) assertThat(next(resumed)).isEqualTo(batch);
    assertThat(resumed.position()).isEqualTo(through.position());
  }

  @Test
  void epochsAndSeedsDiffer() {
    TokenBatches one = new TokenBatches(shards, 4, 13, 1);
    TokenBatches two = new TokenBatches(shards, 4, 13, 2);
    List<Long> first = next(one);
    assertThat(next(two)).isNotEqualTo(first);
    one.seek(new Position(1, 0));
    assertThat(next(one)).isNotEqualTo(first);
    one.seek(Position.START);
    assertThat(next(one)).isEqualTo(first);
  }

  @Test
  void whatCannotBeIsRefused() {
    long tokens = shards.tokens();
    assertThatThrownBy(() -> new TokenBatches(shards, 1, 1000, 1))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll(tokens + " tokens", "at least 1001");
    assertThatThrownBy(() -> new TokenBatches(shards, 0, 13, 1)).isInstanceOf(BadInput.class);
    TokenBatches batches = new TokenBatches(shards, 1, 13, 1);
    for (Position p :
        new Position[] {
          new Position(-1, 0), new Position(0, -1), new Position(0, batches.windows())
        }) {
      assertThatThrownBy(() -> batches.seek(p))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("window below " + batches.windows());
    }
  }

  private List<Integer> tokens() {
    List<Integer> all = new ArrayList<>();
    for (long d = 0; d < shards.documents(); d++) {
      for (int id : shards.document(d).tokens()) all.add(id);
    }
    return all;
  }

  private static List<Long> next(TokenBatches batches) {
    try (Scope _ = new Scope()) {
      Batch batch = batches.next();
      List<Long> all = new ArrayList<>();
      for (int b = 0; b < batch.inputs().size(0); b++) {
        all.addAll(row(batch.inputs(), b));
        all.addAll(row(batch.targets(), b));
      }
      return all;
    }
  }

  private static List<Long> row(Tensor t, int b) {
    long[] values = new long[(int) t.size(1)];
    new LongPointer(t.data_ptr()).position(b * t.size(1)).get(values);
    return new ArrayList<>(Arrays.stream(values).boxed().toList());
  }
}
