package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;

/** {@link TokenStep}, which a step of one sequence takes. */
final class CpuTokenProgramTest extends TokenProgramContract {
  @Override
  Device device() {
    return new Device("cpu");
  }

  /** A product of scores has no stage: the layers' own steps serve it. */
  @Override
  Stream<Kind> kinds() {
    return Stream.of(Kind.values()).filter(kind -> kind != Kind.COMBINED);
  }

  @Override
  void assertProgram(LanguageModel model, Decoder decoder) {
    assertThat(model.tokenStep()).isNotNull();
  }
}
