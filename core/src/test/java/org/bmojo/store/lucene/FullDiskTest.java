package org.bmojo.store.lucene;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.store.Entries.MODEL;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.store.FilterDirectory;
import org.apache.lucene.store.FilterIndexOutput;
import org.apache.lucene.store.IOContext;
import org.apache.lucene.store.IndexOutput;
import org.bmojo.error.BadInput;
import org.bmojo.store.Entries;
import org.bmojo.store.Filter;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** When the disk is full nothing more is stored, but everything committed is still found. */
class FullDiskTest {
  private static final float[][] QUERIES = Entries.queries(1, 4);

  @TempDir Path home = Path.of("");

  @ParameterizedTest
  @ValueSource(longs = {1, 207, 5_000, 40_000})
  void whatIsCommittedIsStillFound(long room) throws IOException {
    StoreFile file = StoreFile.in(home, MODEL, Precision.BF16);
    AtomicLong left = new AtomicLong(Long.MAX_VALUE);
    Directory disk = limited(FSDirectory.open(home.resolve("index")), left);
    try (LuceneStore store = new LuceneStore(home, file, LuceneConfig.STANDARD, disk)) {
      store.append(Entries.range(0, 60));
      store.commit();
      left.set(room);
      assertThatThrownBy(
              () -> {
                store.append(Entries.range(60, 1000));
                store.commit();
              })
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("No space left")
          .hasMessageContaining("Free some space");
      assertThatThrownBy(() -> store.append(Entries.range(0, 1)))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("nothing more is written");
      assertThat(store.size()).isEqualTo(60);
      assertThat(store.search(0, 0, QUERIES, 99, Filter.ALL).getFirst()).hasSize(10);
    }
    try (LuceneStore store = LuceneStore.open(home, MODEL, LuceneConfig.STANDARD)) {
      assertThat(store.size()).isEqualTo(60);
      store.append(Entries.range(60, 120));
      store.commit();
      assertThat(store.size()).isEqualTo(120);
    }
  }

  /** A directory on a disk that has {@code left} bytes left. */
  private static Directory limited(Directory in, AtomicLong left) {
    return new FilterDirectory(in) {
      @Override
      public IndexOutput createOutput(String name, IOContext context) throws IOException {
        return limited(in.createOutput(name, context), left);
      }

      @Override
      public IndexOutput createTempOutput(String prefix, String suffix, IOContext context)
          throws IOException {
        return limited(in.createTempOutput(prefix, suffix, context), left);
      }
    };
  }

  private static IndexOutput limited(IndexOutput out, AtomicLong left) {
    return new FilterIndexOutput("on a small disk", out.getName(), out) {
      @Override
      public void writeByte(byte b) throws IOException {
        take(1);
        super.writeByte(b);
      }

      @Override
      public void writeBytes(byte[] b, int offset, int length) throws IOException {
        take(length);
        super.writeBytes(b, offset, length);
      }

      private void take(long bytes) throws IOException {
        if (left.addAndGet(-bytes) < 0) throw new IOException("No space left on device");
      }
    };
  }
}
