package org.bmojo.kernels.contract;

import java.util.List;
import org.bmojo.kernels.Kernels;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A room under test.
 *
 * @param kernels its operations
 * @param device where its tensors live, as libtorch spells it ("cpu", "cuda:0")
 * @param types the activation types that it serves
 */
public record Room(Kernels kernels, String device, List<ScalarType> types) {
  /** The reference room: every type. */
  public static Room reference() {
    return new Room(
        Kernels.REFERENCE,
        "cpu",
        List.of(ScalarType.Double, ScalarType.Float, ScalarType.BFloat16));
  }

  /** The CPU room: float32 inside. */
  public static Room cpu() {
    return new Room(Kernels.cpu(), "cpu", List.of(ScalarType.Float, ScalarType.BFloat16));
  }

  /** Random tensors of this room's device. */
  public Draw draw(long seed, ScalarType type) {
    return new Draw(seed, type, new Device(device));
  }

  @Override
  public String toString() {
    return kernels.name();
  }
}
