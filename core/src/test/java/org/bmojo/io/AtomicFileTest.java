package org.bmojo.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  @TempDir Path folder = Path.of("");

  @Test
  void replacesTheOldContentAndLeavesNothingElse() throws IOException {
    Path target = folder.resolve("a");
    AtomicFile.replace(target, new byte[] {1, 2, 3});
    AtomicFile.replace(target, new byte[] {4});
    assertThat(Files.readAllBytes(target)).containsExactly(4);
    assertThat(names()).containsExactly("a");
  }

  @Test
  void aFailureHalfwayLeavesTheOldFile() throws IOException {
    Path target = Files.writeString(folder.resolve("a"), "old");
    assertThatThrownBy(() ->
            AtomicFile.replace(
                target,
                file -> {
                  file.write(ByteBuffer.wrap(new byte[100]));
                  throw new IOException("No space left on device");
                }))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll(target.toString(), "No space left", "MB are free", "Free some");
    assertThat(target).hasContent("old");
    assertThat(names()).containsExactly("a");
  }

  @Test
  void aDiskThatIsReallyFullIsNamed() throws IOException {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "only Linux has a device that is always full");
    Path target = Files.writeString(folder.resolve("a"), "old");
    assertThatThrownBy(() ->
            AtomicFile.replace(
                target,
                _ -> {
                  try (FileChannel file = FileChannel.open(full, StandardOpenOption.WRITE)) {
                    AtomicFile.writeFully(file, ByteBuffer.allocate(10));
                  }
                }))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("MB are free");
    assertThat(target).hasContent("old");
  }

  @Test
  void whatACrashedProcessLeftIsRemovedAndWhatALivingOneWritesIsNot() throws Exception {
    Process dead = new ProcessBuilder(java(), "-version").start();
    dead.waitFor();
    Files.writeString(folder.resolve(".a." + dead.pid() + ".partial"), "half");
    long parent = ProcessHandle.current().parent().orElseThrow().pid();
    String living = ".a." + parent + ".partial";
    Files.writeString(folder.resolve(living), "being written");
    Files.writeString(folder.resolve(".a.b.partial"), "somebody else's");
    AtomicFile.replace(folder.resolve("a"), new byte[] {1});
    assertThat(names()).containsExactlyInAnyOrder("a", living, ".a.b.partial");
  }

  @Test
  void aMissingFolderAndAFolderInPlaceOfTheFileAreRefused() {
    assertThatThrownBy(() -> AtomicFile.replace(folder.resolve("none/a"), new byte[1]))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("its folder does not exist");
    assertThatThrownBy(() -> AtomicFile.replace(folder, new byte[1]))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("is a folder");
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).toList();
    }
  }

  private static String java() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }
}
