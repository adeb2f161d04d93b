package org.bmojo.model;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Where there is nothing to record. */
final class DecoderTest extends DecoderContract {
  @Override
  Device device() {
    return new Device("cpu");
  }

  @Override
  ScalarType type() {
    return ScalarType.Float;
  }

  @Override
  Class<? extends Decoder> expected() {
    return EagerDecoder.class;
  }
}
