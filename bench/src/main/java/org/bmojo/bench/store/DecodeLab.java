package org.bmojo.bench.store;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.model.SmallPresets;
import org.bmojo.serve.Library;
import org.bmojo.store.StoreLimits;
import org.bmojo.surgery.AddStorage;
import org.bmojo.text.ByteTokenizer;

/**
 * What storage costs while a model generates: steps without storage and with it, in turns, so that
 * both meet the same machine.
 *
 * <pre>{@code
 * java -Xmx2g @bench/target/cpu/java.args org.bmojo.bench.store.DecodeLab \
 *   bmojo-small FOLDER 100000 16 1
 * }</pre>
 *
 * that is model, folder of the library, characters of a document to remember in it (0 for one that
 * is there), R and S.
 */
public final class DecodeLab {
  private static final int ROUNDS = 32, STEPS = 128, WARMUP = 2;

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private DecodeLab() {}

  /** Prints both, in milliseconds. */
  public static void main(String[] args) {
    if (args.length != 5) {
      System.err.println("DecodeLab MODEL FOLDER CHARACTERS R S");
      System.exit(2);
    }
    StorageConfig storage = StorageConfig.of(Integer.parseInt(args[3]), Integer.parseInt(args[4]));
    int characters = Integer.parseInt(args[2]);
    try (LanguageModel plain = LanguageModel.create(SmallPresets.named(args[0], 257), 1);
        LanguageModel reader = AddStorage.to(plain, storage).model();
        Library library = Library.open(Path.of(args[1]), reader, StoreLimits.NONE)) {
      if (characters > 0) {
        long begin = System.nanoTime();
        library.remember("document", text(characters), new ByteTokenizer());
        double seconds = (System.nanoTime() - begin) / 1e9;
        System.out.printf("remembered in %.1f s%n", seconds);
      }
      System.out.printf("%,d entries%n", library.size());
      try (ModelState without = plain.newState(1);
          ModelState with = reader.newState(1)) {
        library.recollection("decoding").attach(with);
        long offCpu = 0, onCpu = 0;
        double[] off = new double[ROUNDS * STEPS], on = new double[ROUNDS * STEPS];
        SplittableRandom random = new SplittableRandom(1);
        for (int round = -WARMUP; round < ROUNDS; round++) {
          if (round == ROUNDS / 2) offCpu = onCpu = 0; // when all is compiled
          long cpu = THREADS.getCurrentThreadCpuTime();
          for (int i = 0; i < STEPS; i++) {
            int[] id = {random.nextInt(256)};
            int at = Math.max(0, round) * STEPS + i;
            off[at] = step(plain, without, id);
          }
          offCpu += THREADS.getCurrentThreadCpuTime() - cpu;
          cpu = THREADS.getCurrentThreadCpuTime();
          for (int i = 0; i < STEPS; i++) {
            int[] id = {random.nextInt(256)};
            int at = Math.max(0, round) * STEPS + i;
            on[at] = step(reader, with, id);
          }
          onCpu += THREADS.getCurrentThreadCpuTime() - cpu;
        }
        print("without", off, offCpu);
        print("with", on, onCpu);
        System.out.println(library.report());
      }
    }
  }

  private static double step(LanguageModel model, ModelState state, int[] id) {
    long begin = System.nanoTime();
    try (Scope _ = new Scope()) {
      model.step(Ids.tensor(id), state);
    }
    return (System.nanoTime() - begin) / 1e6;
  }

  private static void print(String name, double[] millis, long cpuNanos) {
    double mean = Arrays.stream(millis).average().orElse(0);
    Arrays.sort(millis);
    System.out.printf(
        "%-8s mean %.3f  p10 %.3f  p50 %.3f  p99 %.3f; processor time of this thread %.3f%n",
        name,
        mean,
        at(millis, .1),
        at(millis, .5),
        at(millis, .99),
        cpuNanos / 1e6 / millis.length * 2);
  }

  private static double at(double[] sorted, double share) {
    return sorted[(int) (share * sorted.length)];
  }

  private static String text(int characters) {
    SplittableRandom random = new SplittableRandom(2);
    StringBuilder text = new StringBuilder();
    while (text.length() < characters) {
      int letters = random.nextInt(2, 9);
      for (int i = 0; i < letters; i++) text.append((char) random.nextInt('a', 'z' + 1));
      text.append(' ');
    }
    return text.toString();
  }
}
