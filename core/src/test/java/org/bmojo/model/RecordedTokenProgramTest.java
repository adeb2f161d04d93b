package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Tag;

/** {@link StepPlan}, recorded. */
@Tag("gpu")
final class RecordedTokenProgramTest extends TokenProgramContract {
  @Override
  Device device() {
    return new Device(System.getProperty("bmojo.test.device", "cuda:0"));
  }

  @Override
  Stream<Kind> kinds() {
    return Stream.of(Kind.values());
  }

  @Override
  void assertProgram(LanguageModel model, Decoder decoder) {
    assertThat(decoder).isInstanceOf(RecordedDecoder.class);
  }
}
