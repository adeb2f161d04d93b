package org.bmojo.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Objects;
import java.util.SplittableRandom;
import org.bmojo.data.BatchSource;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.SmallPresets;
import org.bmojo.tape.Parameter;
import org.bmojo.text.ByteTokenizer;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Another JVM saves and saves until it is killed: what is there is one save, whole. */
class KilledSaveTest {
  private static final int KILLS = 3;

  @TempDir Path home = Path.of("");

  @Test
  void everySaveIsOneOrTheOther() throws Exception {
    SplittableRandom random = new SplittableRandom(1);
    long before = 0;
    for (int kill = 0; kill < KILLS; kill++) {
      Process saver = start(before + 1);
      assertThat(saver.inputReader().readLine()).isEqualTo("saving");
      Thread.sleep(random.nextInt(1, 200)); // anywhere in a save; which place does not matter
      saver.destroyForcibly().waitFor();
      try (Checkpoint saved = Checkpoint.open(home.resolve("model"));
          Optimizer optimizer =
              new Optimizer(saved.model().parameters(), Optimizer.Settings.STANDARD)) {
        long step = Objects.requireNonNull(saved.training()).step();
        assertThat(step).isGreaterThan(before);
        saved.restore(optimizer);
        for (Parameter p : saved.model().parameters().values()) {
          assertThat(p.value().min().item_double()).isEqualTo(step);
          assertThat(p.value().max().item_double()).isEqualTo(step);
        }
        before = step;
      }
    }
  }

  private Process start(long first) throws Exception {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "--add-modules=jdk.incubator.vector",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            Saver.class.getName(),
            home.resolve("model").toString(),
            Long.toString(first))
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  /** Save number n has n in every weight. */
  static final class Saver {
    private Saver() {}

    public static void main(String[] args) {
      var settings =
          new TrainingState.Settings(
              "x", 1, 0, 1, 1, 1, 1, Schedule.cosine(1, 1), Optimizer.Settings.STANDARD);
      try (LanguageModel model = LanguageModel.create(SmallPresets.named("bmojo-tiny", 257), 1);
          Optimizer optimizer = new Optimizer(model.parameters(), Optimizer.Settings.STANDARD)) {
        for (long n = Long.parseLong(args[1]); ; n++) {
          long value = n;
          model.parameters().values().forEach(p -> fill(p, value));
          var state = new TrainingState(n, BatchSource.Position.START, settings);
          Checkpoint.save(Path.of(args[0]), model, new ByteTokenizer(), optimizer, state);
          if (n == Long.parseLong(args[1])) System.out.println("saving");
        }
      }
    }

    private static void fill(Parameter p, long value) {
      p.value().fill_(new Scalar(value));
    }
  }
}
