package org.bmojo.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFile;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Writing may fail at any byte; the weights that were there stay readable. */
class FailingWriteTest {
  @TempDir Path folder = Path.of("");

  @ParameterizedTest
  @ValueSource(ints = {0, 7, 8, 60, 100, 1000})
  void aDiskThatFillsUpLeavesTheOldWeights(int room) throws IOException {
    try (Scope _ = new Scope()) {
      Tensor before = torch.randn(207);
      Path file = folder.resolve("w.safetensors");
      Safetensors.write(file, Map.of("w", before), Map.of());
      Map<String, Tensor> after = Map.of("w", torch.randn(1000));
      assertThatThrownBy(() ->
              AtomicFile.replace(
                  file, disk -> SafetensorsWriter.write(new FullDisk(disk, room), after, Map.of())))
          .isInstanceOf(BadInput.class)
          .hasMessageContainingAll("w.safetensors", "No space left on device", "Free some space");
      try (Safetensors saved = Safetensors.open(file)) {
        assertThat(torch.equal(saved.tensor("w"), before)).isTrue();
      }
      try (Stream<Path> files = Files.list(folder)) {
        assertThat(files).containsExactly(file);
      }
    }
  }

  @Test
  void aTypeTheFormatLacksIsRefusedBeforeAnythingIsWritten() {
    try (Scope _ = new Scope()) {
      Path file = folder.resolve("w.safetensors");
      Tensor complex = torch.randn(3).to(torch.ScalarType.ComplexFloat);
      assertThatThrownBy(() -> Safetensors.write(file, Map.of("w", complex), Map.of()))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("ComplexFloat");
      assertThat(folder).isEmptyDirectory();
    }
  }

  /** Takes {@code room} bytes, a few at a time, then no more. */
  private static final class FullDisk implements WritableByteChannel {
    private final WritableByteChannel disk;
    private int room;

    FullDisk(WritableByteChannel disk, int room) {
      this.disk = disk;
      this.room = room;
    }

    @Override
    public int write(ByteBuffer bytes) throws IOException {
      if (room == 0) throw new IOException("No space left on device");
      int n = Math.min(Math.min(13, room), bytes.remaining());
      room -= n;
      int written = disk.write(bytes.slice(bytes.position(), n));
      bytes.position(bytes.position() + written);
      return written;
    }

    @Override
    public boolean isOpen() {
      return disk.isOpen();
    }

    @Override
    public void close() throws IOException {
      disk.close();
    }
  }
}
