import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.FormatterException;
import com.google.googlejavaformat.java.RemoveUnusedImports;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Checks or applies google-java-format over the source tree: {@code Format check|apply FOLDER…}.
 *
 * <p>A program rather than a Maven plugin because the formatter parses with the compiler of the JVM
 * it runs on, and Maven may run on an older one than the sources need.
 */
final class Format {
  public static void main(String[] args) throws Exception {
    boolean apply = args[0].equals("apply");
    List<Path> files = new ArrayList<>();
    for (int i = 1; i < args.length; i++) {
      Path root = Path.of(args[i]);
      if (!Files.isDirectory(root)) continue;
      try (var tree = Files.walk(root)) {
        tree.filter(f -> f.toString().endsWith(".java")).sorted().forEach(files::add);
      }
    }

    boolean wrong = false;
    for (Path file : files) {
      // Git on Windows may check out CRLF; the formatter keeps whichever it finds.
      String before = Files.readString(file);
      String after;
      try {
        after =
            new Formatter()
                .formatSourceAndFixImports(RemoveUnusedImports.removeUnusedImports(before));
      } catch (FormatterException e) {
        System.err.println("does not parse: " + file + ":" + e.getMessage());
        System.exit(1);
        return;
      }
      if (before.equals(after)) continue;
      wrong = true;
      System.err.println((apply ? "formatted " : "not formatted: ") + file);
      if (apply) Files.writeString(file, after);
    }
    if (wrong && !apply) {
      System.err.println("Cure: mvn -N -Pformat process-sources");
      System.exit(1);
    }
  }
}
