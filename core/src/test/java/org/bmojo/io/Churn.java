package org.bmojo.io;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** A process that replaces a folder and a file for ever, to be killed while it does. */
final class Churn {
  private Churn() {}

  public static void main(String[] args) {
    Path home = Path.of(args[0]);
    for (long i = Long.parseLong(args[1]); ; i++) {
      String text = (i + "\n").repeat(20_000);
      AtomicFolder.replace(
          home.resolve("folder"),
          f -> {
            Files.writeString(f.resolve("a"), text);
            Files.writeString(f.resolve("b"), text);
          });
      AtomicFile.replace(home.resolve("file"), text.getBytes(StandardCharsets.UTF_8));
      if (i == Long.parseLong(args[1])) System.out.println("running");
    }
  }
}
