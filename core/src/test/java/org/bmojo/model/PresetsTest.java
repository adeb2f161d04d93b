package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Presets.Family;
import org.bmojo.model.Presets.Size;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Sizes of models too large to make: counted by their shapes. */
class PresetsTest {
  @ParameterizedTest
  @EnumSource
  void familiesOfOneSizeAreWithinThreePercent(Size size) {
    // With the vocabulary of the Mamba paper, and with bytes, where no embedding evens things out.
    for (int vocabulary : new int[] {50_280, 257}) {
      long[] counts =
          Arrays.stream(Family.values()).mapToLong(f -> count(f, size, vocabulary)).toArray();
      long fewest = Arrays.stream(counts).min().orElseThrow();
      long most = Arrays.stream(counts).max().orElseThrow();
      assertThat((double) most / fewest)
          .as("%s: %s", size, Arrays.toString(counts))
          .isLessThanOrEqualTo(1.03);
    }
  }

  @ParameterizedTest
  @CsvSource({"S130M, 130e6", "S370M, 370e6", "S790M, 790e6", "S1_4B, 1.4e9"})
  void sizesAreWhatTheyAreCalled(Size size, double nominal) {
    double count = count(Family.MAMBA, size, 50_280);
    assertThat(count / nominal).isCloseTo(1, within(0.05));
  }

  private static long count(Family family, Size size, int vocabulary) {
    try (Scope scope = new Scope();
        LanguageModel model =
            LanguageModel.shapes(Presets.of(family, size, vocabulary), ScalarType.Float)) {
      return model.parameterCount();
    }
  }

  @Test
  void theCountByPartsIsTheSame() {
    ModelConfig config = Presets.of(Family.BMOJO, Size.S1_4B, 50_280);
    long sum = Footprint.parameters(config).values().stream().mapToLong(n -> n).sum();
    assertThat(sum).isEqualTo(count(Family.BMOJO, Size.S1_4B, 50_280));
  }

  @Test
  void everyNameFindsItsPreset() {
    assertThat(Presets.names()).hasSize(24).doesNotHaveDuplicates();
    assertThat(Presets.names()).contains("bmojo-130m", "bmojo-f-370m", "mamba-790m", "hybrid-1.4b");
    for (String name : Presets.names()) {
      assertThat(Presets.named(name, 257).vocabulary()).isEqualTo(257);
    }
    assertThatThrownBy(() -> Presets.named("bmojo-131m", 257))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("bmojo-131m")
        .hasMessageContaining("bmojo-130m");
  }
}
