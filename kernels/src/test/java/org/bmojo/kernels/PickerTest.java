package org.bmojo.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class PickerTest {
  @ParameterizedTest
  @CsvSource({"Float, cpu", "BFloat16, cpu", "Half, cpu", "Double, reference", "Long, reference"})
  void picksByType(ScalarType type, String room) {
    assertThat(pick(null, true, type).name()).isEqualTo(room);
  }

  @Test
  void withoutTheVectorModuleTheReferenceServesAll() {
    assertThat(pick(null, false, ScalarType.Float).name()).isEqualTo("reference");
  }

  @Test
  void obeysTheProperty() {
    assertThat(pick("reference", true, ScalarType.Float).name()).isEqualTo("reference");
    assertThat(pick("cpu", true, ScalarType.Float).name()).isEqualTo("cpu");
  }

  @Test
  void forcedWithoutTheVectorModuleItNamesTheFlag() {
    assertThatThrownBy(() -> pick("cpu", false, ScalarType.Float))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("-Dbmojo.kernels=cpu")
        .hasMessageContaining("--add-modules=jdk.incubator.vector");
  }

  @Test
  void forcedRoomsRefuseWhatTheyDoNotServe() {
    assertThatThrownBy(() -> pick("cpu", true, ScalarType.Double))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("Double")
        .hasMessageContaining("float32");
    assertThatThrownBy(() -> pick("cuda", true, ScalarType.Float)).isInstanceOf(BadInput.class);
  }

  @Test
  void unknownRoomsAreRefused() {
    assertThatThrownBy(() -> pick("gpu", true, ScalarType.Float))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("-Dbmojo.kernels=gpu")
        .hasMessageContaining("reference, cpu or cuda");
  }

  @Test
  void theSecondAnswerIsTheFirst() {
    try (Scope scope = new Scope()) {
      Picker picker = new Picker(null, true);
      Tensor x = new Draw(1, ScalarType.Float, new Device("cpu")).normal(3);
      assertThat(picker.pick(x)).isSameAs(picker.pick(x));
    }
  }

  private static Kernels pick(@Nullable String forced, boolean vectors, ScalarType type) {
    try (Scope scope = new Scope()) {
      return new Picker(forced, vectors).pick(new Draw(1, type, new Device("cpu")).normal(3));
    }
  }
}
