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
      decode(model, state, TOKENS / 2);
      System.gc();
      long before = resident(), pointers = Pointer.totalCount();
      decode(model, state, TOKENS - TOKENS / 2);
      System.gc();
      long after = resident();
      System.out.printf(
          "%s: %,d KB resident after %,d tokens, %,d KB after %,d%n",
          name, before >> 10, TOKENS / 2, after >> 10, TOKENS);
      assertThat(after - before).isLessThan(SLACK);
      // A tensor a token would show here long before it does there.
      assertThat(Pointer.totalCount() - pointers).isLessThan(TOKENS / 100);
      assertThat(state.position()).isEqualTo(TOKENS);
    }
  }

  private static void decode(LanguageModel model, ModelState state, int count) {
    for (int t = 0; t < count; t++) {
      try (Scope _ = new Scope()) {
        model.step(Ids.tensor(new int[] {t % TinyModels.VOCABULARY}), state);
      }
    }
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
