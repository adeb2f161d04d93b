package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs ./bmojo in a checkout made for the test, with a JDK and a Maven that only say what they got.
 */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "a POSIX shell script; Windows has bmojo.cmd")
class LauncherTest {
  private static final String FAKE_JAVA =
      """
      #!/bin/sh
      case "$*" in *XshowSettings*) exit 0 ;; esac
      for a in "$@"; do echo "[$a]"; done
      exit 7
      """;
  private static final String FAKE_MAVEN =
      """
      #!/bin/sh
      echo "mvn in $(pwd) on $JAVA_HOME: $*" >>"$MAVEN_LOG"
      [ -z "${MAVEN_FAILS:-}" ] || exit 1
      engine=cpu
      case "$*" in *-Dcuda*) engine=cuda ;; esac
      mkdir -p app/target/$engine
      touch app/target/app.jar
      echo "-cp \\"$(pwd)/app/target/app.jar\\"" >app/target/$engine/java.args
      """;

  @TempDir Path folder;
  private Path checkout;
  private Path jdk;
  private Path mavenLog;
  private final Map<String, String> environment = new HashMap<>();

  private record Outcome(int exitCode, String out, String err) {}

  @BeforeEach
  void makeCheckout() throws IOException {
    checkout = folder.toRealPath().resolve("a check'out");
    for (String module : List.of("kernels", "core", "app")) {
      Files.createDirectories(checkout.resolve(module + "/src/main/java"));
      Files.createFile(checkout.resolve(module + "/pom.xml"));
    }
    Files.createDirectories(checkout.resolve("tools"));
    Files.createFile(checkout.resolve("pom.xml"));
    Files.copy(Path.of("../bmojo"), checkout.resolve("bmojo"));
    age(checkout);

    jdk = fakeJdk("jdk 25", "25.0.3");
    mavenLog = folder.resolve("maven.log");
    executable(folder.resolve("bin/mvn"), FAKE_MAVEN);
    environment.put("PATH", folder.resolve("bin") + ":/usr/bin:/bin");
    environment.put("HOME", folder.toString());
    environment.put("BMOJO_JAVA", jdk.toString());
    environment.put("MAVEN_LOG", mavenLog.toString());
  }

  @Test
  void buildsOnceAndHandsOnArgumentsAndExitCode() throws Exception {
    Outcome first = run("generate", "two words", "*", "");
    assertThat(first.exitCode).isEqualTo(7);
    assertThat(first.err).contains("building");
    assertThat(first.out)
        .startsWith("[-Xmx2g]\n[@" + checkout + "/app/target/cpu/java.args]\n")
        .endsWith("[org.bmojo.cli.Main]\n[generate]\n[two words]\n[*]\n[]\n");

    Outcome second = run("doctor");
    assertThat(second.err).isEmpty();
    assertThat(Files.readAllLines(mavenLog))
        .singleElement()
        .asString()
        .startsWith("mvn in " + checkout + " on " + jdk + ":")
        .contains("package");
  }

  @Test
  void buildsAgainWhenASourceIsNewerOrGoneOrAJarIsGone() throws Exception {
    Path sources = checkout.resolve("core/src/main/java");
    Path source = Files.createFile(sources.resolve("A.java"));
    age(checkout);
    run("x");
    assertThat(Files.readAllLines(mavenLog)).hasSize(1);

    touchLater(source);
    run("x");
    assertThat(Files.readAllLines(mavenLog)).hasSize(2);

    age(sources);
    Files.delete(source);
    touchLater(sources);
    run("x");
    assertThat(Files.readAllLines(mavenLog)).hasSize(3);

    age(sources);
    Files.delete(checkout.resolve("app/target/app.jar"));
    run("x");
    assertThat(Files.readAllLines(mavenLog)).hasSize(4);

    run("x");
    assertThat(Files.readAllLines(mavenLog)).hasSize(4);
  }

  @Test
  void aFailedBuildRunsNothingAndIsTriedAgain() throws Exception {
    environment.put("MAVEN_FAILS", "yes");
    Outcome failed = run("x");
    assertThat(failed.exitCode).isEqualTo(1);
    assertThat(failed.out).isEmpty();
    assertThat(failed.err).contains("the build failed");

    environment.remove("MAVEN_FAILS");
    assertThat(run("x").exitCode).isEqualTo(7);
  }

  @Test
  void theLockOfABuilderThatWasKilledIsBroken() throws Exception {
    Path lock = Files.createDirectories(checkout.resolve("app/target/building"));
    Process gone = new ProcessBuilder("true").start();
    gone.waitFor();
    Files.writeString(lock.resolve("pid"), Long.toString(gone.pid()));

    assertThat(run("x").exitCode).isEqualTo(7);
    assertThat(lock).doesNotExist();
  }

  @Test
  void theCudaBuildIsABuildOfItsOwn() throws Exception {
    run("x");
    environment.put("BMOJO_CUDA", "1");
    assertThat(run("x").out).contains("app/target/cuda/java.args");
    run("x");
    environment.remove("BMOJO_CUDA");
    run("x");
    assertThat(Files.readAllLines(mavenLog)).hasSize(2);
    assertThat(Files.readAllLines(mavenLog).getLast()).contains("-Dcuda");
  }

  @Test
  void worksThroughSymbolicLinks() throws Exception {
    Path link = Files.createSymbolicLink(folder.resolve("one"), checkout.resolve("bmojo"));
    Path linkToLink = Files.createSymbolicLink(folder.resolve("two"), Path.of("one"));
    assertThat(link).exists();
    assertThat(start(linkToLink, "x").out).contains("[@" + checkout + "/app/target/cpu/java.args]");
  }

  @Test
  void ownOptionsComeAfterTheDefaults() throws Exception {
    environment.put("BMOJO_OPTS", "-Xmx9g -Da=b");
    assertThat(run("x").out).contains("java.args]\n[-Xmx9g]\n[-Da=b]\n[org.bmojo.cli.Main]");
  }

  @Test
  void findsTheJdkInTheUsualPlaces() throws Exception {
    environment.remove("BMOJO_JAVA");
    environment.put("JAVA_HOME", jdk.toString());
    assertThat(run("x").exitCode).isEqualTo(7);

    environment.put("JAVA_HOME", fakeJdk("jdk 17", "17.0.15").toString());
    onlyWhatTheLauncherNeedsIsOnThePath();
    fakeJdk(".jdks/temurin-25", "25");
    assertThat(run("x").exitCode).isEqualTo(7);
  }

  @Test
  void aNamedJdkOfAnotherVersionIsRefused() throws Exception {
    for (String version : List.of("17.0.15", "24", "26.0.1", "250")) {
      environment.put("BMOJO_JAVA", fakeJdk("jdk " + version, version).toString());
      Outcome refused = run("x");
      assertThat(refused.exitCode).isEqualTo(1);
      assertThat(refused.out).isEmpty();
      assertThat(refused.err).contains("is not a JDK 25", environment.get("BMOJO_JAVA"));
    }
    assertThat(mavenLog).doesNotExist();
  }

  @Test
  void saysHowToGetMaven() throws Exception {
    Files.delete(folder.resolve("bin/mvn"));
    onlyWhatTheLauncherNeedsIsOnThePath();

    Outcome refused = run("x");
    assertThat(refused.exitCode).isEqualTo(1);
    assertThat(refused.err).contains("Maven", "apt install maven");
  }

  private Outcome run(String... arguments) throws Exception {
    return start(checkout.resolve("bmojo"), arguments);
  }

  private Outcome start(Path launcher, String... arguments) throws Exception {
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    var command = new ArrayList<>(List.of(launcher.toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(Path.of("/").toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile());
    builder.environment().clear();
    builder.environment().putAll(environment);
    int exitCode = builder.start().waitFor();
    return new Outcome(exitCode, Files.readString(out), Files.readString(err));
  }

  /** This machine may have a Maven and a JDK 25 where the other tools are. */
  private void onlyWhatTheLauncherNeedsIsOnThePath() throws IOException {
    Path bin = folder.resolve("bin");
    for (String tool :
        "sh dirname uname readlink sed find head mkdir rm cat mv sleep touch".split(" ")) {
      String real = Files.exists(Path.of("/bin", tool)) ? "/bin/" + tool : "/usr/bin/" + tool;
      executable(bin.resolve(tool), "#!/bin/sh\nexec " + real + " \"$@\"\n");
    }
    environment.put("PATH", bin.toString());
  }

  private Path fakeJdk(String name, String version) throws IOException {
    Path home = folder.resolve(name);
    executable(home.resolve("bin/java"), FAKE_JAVA);
    executable(home.resolve("bin/javac"), FAKE_JAVA);
    Files.writeString(
        home.resolve("release"), "IMPLEMENTOR=\"us\"\nJAVA_VERSION=\"" + version + "\"\n");
    return home;
  }

  private static void executable(Path file, String content) throws IOException {
    Files.createDirectories(file.resolveSibling("."));
    Files.writeString(file, content);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  /** Makes everything below an hour old. */
  private static void age(Path tree) throws IOException {
    FileTime hourAgo = FileTime.from(Instant.now().minusSeconds(3600));
    try (var files = Files.walk(tree)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        if (!file.startsWith(tree.resolve("app/target"))) Files.setLastModifiedTime(file, hourAgo);
      }
    }
  }

  private static void touchLater(Path file) throws IOException {
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().plusSeconds(60)));
  }
}
