package org.bmojo.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFolderTest {
  @TempDir Path home = Path.of("");

  @Test
  void replacesTheWholeFolder() throws IOException {
    Path target = home.resolve("deep/er/model");
    AtomicFolder.replace(target, f -> Files.writeString(f.resolve("one"), "1"));
    AtomicFolder.replace(
        target,
        f -> {
          Files.createDirectory(f.resolve("sub"));
          Files.writeString(f.resolve("sub/two"), "2");
        });
    assertThat(names(target)).containsExactly("sub");
    assertThat(target.resolve("sub/two")).hasContent("2");
    assertThat(names(home.resolve("deep/er"))).containsExactly("model");
  }

  @Test
  void aFailureHalfwayLeavesTheOldFolder() throws IOException {
    Path target = home.resolve("model");
    AtomicFolder.replace(target, f -> Files.writeString(f.resolve("one"), "1"));
    assertThatThrownBy(() ->
            AtomicFolder.replace(
                target,
                f -> {
                  Files.writeString(f.resolve("one"), "half");
                  throw new IOException("No space left on device");
                }))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll("model could not be written", "No space left");
    assertThat(target.resolve("one")).hasContent("1");
    assertThat(names(home)).containsExactly("model");
  }

  /** A kill between the two renames: the folder is only there under its hidden name. */
  @Test
  void aCrashBetweenTheRenamesLosesNothing() throws IOException {
    Path target = home.resolve("model");
    Path previous = Files.createDirectory(home.resolve(".model.previous"));
    Files.writeString(previous.resolve("one"), "1");
    assertThat(AtomicFolder.current(target).resolve("one")).hasContent("1");

    assertThatThrownBy(() ->
            AtomicFolder.replace(
                target,
                f -> {
                  throw new IOException("again");
                }))
        .isInstanceOf(BadInput.class);
    assertThat(AtomicFolder.current(target).resolve("one")).hasContent("1");

    AtomicFolder.replace(target, f -> Files.writeString(f.resolve("one"), "2"));
    assertThat(AtomicFolder.current(target)).isEqualTo(target);
    assertThat(target.resolve("one")).hasContent("2");
    assertThat(names(home)).containsExactly("model");
  }

  /** A kill after the second rename: the old folder is still there under its hidden name. */
  @Test
  void aCrashBeforeTheCleaningLeavesTheNewFolderInForce() throws IOException {
    Path target = Files.createDirectory(home.resolve("model"));
    Files.writeString(target.resolve("one"), "new");
    Path previous = Files.createDirectory(home.resolve(".model.previous"));
    Files.writeString(previous.resolve("one"), "old");
    assertThat(AtomicFolder.current(target).resolve("one")).hasContent("new");
    AtomicFolder.replace(target, f -> Files.writeString(f.resolve("one"), "newer"));
    assertThat(target.resolve("one")).hasContent("newer");
    assertThat(names(home)).containsExactly("model");
  }

  @Test
  void aFileOrAReadOnlyFolderInTheWayIsRefused() throws IOException {
    Path file = Files.writeString(home.resolve("file"), "x");
    assertThatThrownBy(() -> AtomicFolder.replace(file, _ -> {}))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("is a file");
  }

  @Test
  void aReadOnlyFolderIsRefused() throws IOException {
    Path locked = Files.createDirectory(home.resolve("locked"));
    assumeTrue(Files.getFileStore(locked).supportsFileAttributeView("posix"));
    Files.setPosixFilePermissions(locked, PosixFilePermissions.fromString("r-xr-xr-x"));
    // Nobody may make files among the processes, not even root, for whom permissions are nothing.
    Path folder = Files.isWritable(locked) ? Path.of("/proc") : locked;
    assumeTrue(Files.isDirectory(folder));
    Path target = folder.resolve("model");
    assertThatThrownBy(() -> AtomicFolder.replace(target, _ -> {}))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(target.toString())
        .hasMessageContaining("hoose another folder");
    assertThatThrownBy(() -> AtomicFile.replace(target, new byte[1]))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(target.toString());
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).toList();
    }
  }
}
