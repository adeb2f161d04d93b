package org.bmojo.sweep;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Which state of the sources this program was built from. */
public final class Commit {
  /** Names the commit where there is no git to ask: {@code -Dbmojo.commit=…}. */
  static final String PROPERTY = "bmojo.commit";

  private static final int PATIENCE_SECONDS = 10;

  private Commit() {}

  /** The commit, with {@code -dirty} where files differ from it; null where nobody knows. */
  public static @Nullable String current() {
    String told = System.getProperty(PROPERTY);
    if (told != null) return told;
    CodeSource source = Commit.class.getProtectionDomain().getCodeSource();
    if (source == null) return null;
    try {
      Path folder = Path.of(source.getLocation().toURI()).toAbsolutePath().getParent();
      return folder == null ? null : described(folder);
    } catch (IOException | URISyntaxException noGit) {
      return null;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    }
  }

  private static @Nullable String described(Path folder) throws IOException, InterruptedException {
    Process git =
        new ProcessBuilder(
                "git", "-C", folder.toString(), "describe", "--always", "--dirty", "--abbrev=12")
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    git.getOutputStream().close();
    String words = new String(git.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    if (!git.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      git.destroy();
      return null;
    }
    return git.exitValue() == 0 && !words.isEmpty() ? words : null;
  }
}
