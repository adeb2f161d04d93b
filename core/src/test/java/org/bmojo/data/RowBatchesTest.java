package org.bmojo.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.text.ByteTokenizer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RowBatchesTest {
  @TempDir Path home = Path.of("");

  private TokenShards shards(int tokens) {
    ByteTokenizer bytes = new ByteTokenizer();
    Path folder = home.resolve("shards");
    new ShardWriter(bytes, new Split(0, 1), tokens).write(folder, Texts.random(63, 63, 1));
    return TokenShards.open(folder, Split.Part.TRAIN, bytes);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "3, 13", "2, 63", "5, 207"})
  void aRowGoesOnWhereItWas(int rows, int length) {
    try (TokenShards one = shards(1 << 20)) {
      RowBatches batches = new RowBatches(one, rows, length);
      long[][] last = new long[rows][];
      for (long n = 0; n < batches.steps(); n++) {
        assertThat(batches.position()).isEqualTo(new BatchSource.Position(0, n));
        try (Scope _ = new Scope()) {
          Batch next = batches.next();
          long[] in = values(next.inputs()), out = values(next.targets());
          for (int r = 0; r < rows; r++) {
            long[] row = Arrays.copyOfRange(in, r * length, (r + 1) * length);
            long[] after = Arrays.copyOfRange(out, r * length, (r + 1) * length);
            assertThat(Arrays.copyOf(after, length - 1))
                .isEqualTo(Arrays.copyOfRange(row, 1, length));
            if (n > 0) assertThat(row[0]).isEqualTo(last[r][length - 1]);
            last[r] = after;
          }
        }
      }
      assertThat(batches.position()).isEqualTo(new BatchSource.Position(1, 0));
    }
  }

  /** What is told at the end of a row's part continues in the next; a new run begins anew. */
  @Test
  void aDocumentGoesOnWhereItsRowDoes() {
    int end = new ByteTokenizer().endOfDocument(), length = 13;
    try (TokenShards several = shards(700)) {
      RowBatches batches = new RowBatches(several, 3, length, true);
      long[] since = new long[3]; // tokens of each row's document so far
      for (long n = 0; n < 2 * batches.steps(); n++) {
        if (n % batches.steps() == 0) Arrays.fill(since, 0);
        try (Scope _ = new Scope()) {
          Batch next = batches.next();
          long[] in = values(next.inputs());
          long[] told = values(Objects.requireNonNull(next.begin()).to(ScalarType.Long));
          for (int r = 0; r < 3; r++) {
            // Where the next shard begins, so does a document, with another id.
            boolean shard = told[r * length] == 0;
            if (shard) since[r] = 0;
            for (int t = 0; t < length; t++, since[r]++) {
              if (in[r * length + t] == end) since[r] = 0;
              assertThat(t - told[r * length + t]).as("batch %d, row %d", n, r).isEqualTo(since[r]);
            }
          }
        }
      }
    }
  }

  @Test
  void anEpochIsEachWindowOnceAndTheNextDealsThemOtherwise() {
    try (TokenShards several = shards(700)) {
      RowBatches batches = new RowBatches(several, 3, 13);
      long[] first = sum(batches), second = sum(batches);
      assertThat(second).isEqualTo(first); // the same tokens
      batches.seek(new BatchSource.Position(0, 0));
      long[][] rows = new long[2][];
      for (int epoch = 0; epoch < 2; epoch++) {
        batches.seek(new BatchSource.Position(epoch, 2));
        try (Scope _ = new Scope()) {
          rows[epoch] = values(batches.next().inputs());
        }
      }
      assertThat(Arrays.copyOf(rows[1], 13)).isEqualTo(Arrays.copyOfRange(rows[0], 13, 26));
    }
  }

  @Test
  void tooLittleTextAndForeignPlacesAreRefused() {
    try (TokenShards one = shards(1 << 20)) {
      assertThatThrownBy(() -> new RowBatches(one, 63, 207)).isInstanceOf(BadInput.class);
      assertThatThrownBy(() -> new RowBatches(one, 0, 13)).isInstanceOf(BadInput.class);
      RowBatches batches = new RowBatches(one, 2, 13);
      assertThatThrownBy(() -> batches.seek(new BatchSource.Position(0, batches.steps())))
          .isInstanceOf(BadInput.class);
    }
  }

  /** How often each id came in an epoch. */
  private static long[] sum(RowBatches batches) {
    long[] counts = new long[257];
    for (long n = 0; n < batches.steps(); n++) {
      try (Scope _ = new Scope()) {
        for (long id : values(batches.next().inputs())) counts[(int) id]++;
      }
    }
    return counts;
  }

  private static long[] values(Tensor t) {
    long[] values = new long[(int) t.numel()];
    new LongPointer(t.contiguous().data_ptr()).get(values);
    return values;
  }
}
