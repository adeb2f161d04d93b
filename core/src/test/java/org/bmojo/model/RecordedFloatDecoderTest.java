package org.bmojo.model;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class RecordedFloatDecoderTest extends DecoderContract {
  @Override
  Device device() {
    return new Device(System.getProperty("bmojo.test.device", "cuda:0"));
  }

  @Override
  ScalarType type() {
    return ScalarType.Float;
  }

  @Override
  Class<? extends Decoder> expected() {
    return RecordedDecoder.class;
  }
}
