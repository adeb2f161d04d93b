package org.bmojo.data;

import java.nio.file.Files;
import java.nio.file.Path;
import org.bmojo.error.BadInput;

/** The source code that comes with a JDK: 213 MB of real text that every Java developer has. */
final class JdkSource {
  private JdkSource() {}

  static TextSource ofRunningJdk() {
    return of(Path.of(System.getProperty("java.home")));
  }

  static TextSource of(Path home) {
    Path zip = home.resolve("lib/src.zip");
    if (Files.isReadable(zip)) return new ZipSource(zip);
    throw new BadInput(
        "the JDK at " + home + " comes without its source code",
        "expected " + zip,
        "Install it (Debian and Ubuntu: openjdk-25-source; Fedora: java-25-openjdk-src), or use a"
            + " JDK that has it, such as Temurin, or train on a folder of your own");
  }
}
