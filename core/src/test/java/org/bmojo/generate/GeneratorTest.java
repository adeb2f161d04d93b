package org.bmojo.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Models;
import org.bmojo.text.ByteTokenizer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GeneratorTest {
  /** 513 crosses the border between two chunks of a prompt. */
  @ParameterizedTest
  @ValueSource(ints = {1, 13, 513})
  void greedyIdsAreTheArgmaxOfTheParallelForm(int length) {
    int[][] prompts = {prompt(length, 1), prompt(length, 2)};
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1, ScalarType.Double)) {
      int[][] sequences = new Generator(model).generate(prompts, 3, Sampler.greedy());
      for (int r = 0; r < 2; r++) {
        assertThat(sequences[r]).hasSize(length + 3).startsWith(prompts[r]);
        for (int t = length; t < length + 3; t++) {
          assertThat(sequences[r][t]).isEqualTo(argmax(model, Arrays.copyOf(sequences[r], t)));
        }
      }
    }
  }

  @Test
  void theListenerSeesEachIdAndMayStop() {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      Generator generator = new Generator(model);
      int[] prompt = prompt(3, 1);
      int[] all = generator.generate(new int[][] {prompt}, 7, Sampler.greedy())[0];
      List<Integer> seen = new ArrayList<>();
      generator.generate(prompt, 7, Sampler.greedy(), id -> seen.add(id) && seen.size() < 4);
      assertThat(seen).containsExactly(all[3], all[4], all[5], all[6]);
    }
  }

  @Test
  void nothingToAddAddsNothing() {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      int[][] prompts = {{1, 2}};
      assertThat(new Generator(model).generate(prompts, 0, Sampler.greedy())).isEqualTo(prompts);
    }
  }

  @Test
  void badPromptsAreRefused() {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      Generator generator = new Generator(model);
      Sampler greedy = Sampler.greedy();
      int[][] empty = {{}};
      int[][] uneven = {{1}, {1, 2}};
      int[][] foreign = {{62, 63}};
      assertRefused(() -> generator.generate(empty, 1, greedy), "empty prompt");
      assertRefused(() -> generator.generate(uneven, 1, greedy), "sequence 2 has 2 ids");
      assertRefused(() -> generator.generate(foreign, 1, greedy), "token id 63");
      assertRefused(() -> generator.generate(new int[][] {{1}}, -1, greedy), "-1 tokens");
    }
  }

  @Test
  void aDivergedModelSaysSo() {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      Objects.requireNonNull(model.parameters().get("norm.weight"))
          .value()
          .fill_(new Scalar(Double.NaN));
      assertRefused(
          () -> new Generator(model).generate(new int[][] {{1}}, 1, Sampler.greedy()),
          "not numbers");
    }
  }

  @Test
  void textContinuesAndEndsWithItsDocument() {
    ByteTokenizer bytes = new ByteTokenizer();
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), 1)) {
      TextGenerator generator = new TextGenerator(model, bytes);
      Sampler counting = new Counting('a', 'b', 0xc3, 0xa9, 'c', ByteTokenizer.END_OF_DOCUMENT);
      List<String> pieces = new ArrayList<>();
      generator.stream("", 100, counting, pieces::add);
      assertThat(pieces).containsExactly("a", "b", "é", "c");
      // Cut within a character: said so at the end.
      assertThat(generator.complete("x", 3, new Counting('a', 'b', 0xc3))).isEqualTo("ab�");
    }
  }

  private static void assertRefused(Runnable action, String words) {
    assertThatThrownBy(action::run).isInstanceOf(BadInput.class).hasMessageContaining(words);
  }

  /** Chooses what it was told to. */
  private static final class Counting implements Sampler {
    private final int[] ids;
    private int next;

    Counting(int... ids) {
      this.ids = ids;
    }

    @Override
    public int choose(float[] logits) {
      return ids[next++];
    }
  }

  private static int[] prompt(int length, int seed) {
    return new SplittableRandom(seed).ints(length, 0, 63).toArray();
  }

  private static int argmax(LanguageModel model, int[] ids) {
    try (Scope _ = new Scope()) {
      return (int) model.lastLogits(Ids.tensor(ids), null).argmax().item_long();
    }
  }
}
