package org.bmojo.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.generate.Decoding;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Models;
import org.bmojo.serve.Generation.Ending;
import org.bmojo.serve.Generation.Reason;
import org.bmojo.serve.TextGeneration.Piece;
import org.bmojo.text.ByteTokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StopTextTest {
  @ParameterizedTest
  @CsvSource({
    "abcdef, cd, ab, true",
    "ababac, abac, ab, true",
    "aaab, aab, a, true",
    "abcd, cdx, abcd, false",
    "xyz, z, xy, true",
    "stop, stop, '', true"
  })
  void piecesOfAnyLengthStopAtTheSamePlace(String all, String stop, String shown, boolean stopped) {
    for (int size = 1; size <= all.length(); size++) {
      StopText text = new StopText(List.of(stop, "never"));
      StringBuilder seen = new StringBuilder();
      for (int at = 0; at < all.length(); at += size) {
        seen.append(text.accept(all.substring(at, Math.min(all.length(), at + size))));
        assertThat(shown).startsWith(seen.toString());
      }
      assertThat(seen + text.finish()).isEqualTo(shown);
      assertThat(text.isStopped()).isEqualTo(stopped);
    }
  }

  @Test
  void theFirstOfSeveralCounts() {
    StopText text = new StopText(List.of("cd", "b"));
    assertThat(text.accept("abcd")).isEqualTo("a");
    assertThatThrownBy(() -> new StopText(List.of(""))).isInstanceOf(BadInput.class);
  }

  /** A random model's bytes: any two of its answer may be the stop string. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void answersEndBeforeTheStringAndNoTokenLater(int seed) throws Exception {
    ByteTokenizer bytes = new ByteTokenizer();
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), seed);
        Engine engine = new Engine(model, EngineSettings.standard())) {
      TextEngine text = new TextEngine(engine, bytes);
      Request request =
          Request.of(bytes.encode("Once"), 60, Decoding.random(1, 0, 1, seed)).keeping();
      String whole = read(text, request, List.of()).text;
      int at = new SplittableRandom(seed).nextInt(5, whole.length() - 2);
      String stop = whole.substring(at, at + 2);
      Answer cut = read(text, request, List.of("no such text", stop));
      assertThat(cut.text).isEqualTo(whole.substring(0, whole.indexOf(stop)));
      assertThat(cut.reason).isEqualTo(Reason.STOP);
      // The token that completed the string is the last, in the memory as well.
      assertThat(bytes.decode(cut.ids)).isEqualTo("Once" + cut.text + stop);
    }
  }

  private record Answer(String text, Reason reason, int[] ids) {}

  private static Answer read(TextEngine engine, Request request, List<String> stops)
      throws InterruptedException {
    try (TextGeneration generation = engine.submit(request, stops)) {
      List<String> pieces = new ArrayList<>();
      for (Piece p = generation.next(); p != null; p = generation.next()) pieces.add(p.text());
      Ending end = generation.await();
      try (Memory memory = end.memory()) {
        int[] ids = memory == null ? new int[0] : memory.ids();
        return new Answer(String.join("", pieces), end.reason(), ids);
      }
    }
  }
}
