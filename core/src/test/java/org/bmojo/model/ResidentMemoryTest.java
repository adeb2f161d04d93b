package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Decoding needs no more memory after many tokens than after a few. {@code -Dbmojo.test.tokens}
 * says how many; a million take a quarter of an hour.
 */
class ResidentMemoryTest {
  private static final int TOKENS = Integer.getInteger("bmojo.test.tokens", 20_000);
  private static final int[] MARKS = {1_000, 10_000, 100_000, 250_000};
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final long SLACK = 32 << 20; // what the Java heap takes when it pleases

  @ParameterizedTest
  @ValueSource(strings = {"mamba", "bmojo"})
  void isFlatHoweverManyTokensAreDecoded(String name) throws IOException {
    assumeTrue(Files.exists(STATUS), "only Linux tells the resident memory");
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get(name));
    try (LanguageModel model = TinyModels.model(config, 1, ScalarType.Float);
        ModelState state = model.newState(1)) {
      model.pack(Format.BF16);
      for (int mark : MARKS) if (mark < TOKENS / 2) decodeTo(mark, model, state, name);
      long before = decodeTo(TOKENS / 2, model, state, name), pointers = Pointer.totalCount();
      long after = decodeTo(TOKENS, model, state, name);
      assertThat(after - before).isLessThan(SLACK);
      // A tensor a token would show here long before it does there.
      assertThat(Pointer.totalCount() - pointers).isLessThan(TOKENS / 100);
      assertThat(state.position()).isEqualTo(TOKENS);
    }
  }

  /** Decodes until {@code mark} tokens are read; prints and returns the bytes resident then. */
  private static long decodeTo(int mark, LanguageModel model, ModelState state, String name)
      throws IOException {
    for (long t = state.position(); t < mark; t++) {
      try (Scope _ = new Scope()) {
        model.step(Ids.tensor(new int[] {(int) (t % TinyModels.VOCABULARY)}), state);
      }
    }
    System.gc();
    long resident = resident();
    System.out.printf("%s: %,d KB resident after %,d tokens%n", name, resident >> 10, mark);
    return resident;
  }

  private static long resident() throws IOException {
    String line =
        Files.readAllLines(STATUS).stream()
            .filter(l -> l.startsWith("VmRSS:"))
            .findFirst()
            .orElseThrow();
    return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
  }
}
