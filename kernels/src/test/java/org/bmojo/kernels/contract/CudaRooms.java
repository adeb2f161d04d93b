package org.bmojo.kernels.contract;

import java.util.List;
import org.bmojo.kernels.Kernels;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The cuda room as the contracts see it. */
final class CudaRooms {
  private static final Room ROOM =
      new Room(Kernels.cuda(), "cuda:0", List.of(ScalarType.Float, ScalarType.BFloat16));

  private CudaRooms() {}

  static Room room() {
    return ROOM;
  }
}
