package org.bmojo.kernels.contract;

import java.util.stream.Stream;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.cpu.CpuGatedRidge;
import org.bmojo.kernels.op.GatedRidge;
import org.bytedeco.pytorch.global.torch.ScalarType;

final class CpuGatedRidgeTest extends GatedRidgeContract {
  @Override
  Room room() {
    return Room.cpu();
  }

  /** In float32 too, where the room itself is asked for speed. */
  @Override
  GatedRidge op() {
    return new CpuGatedRidge(Kernels.REFERENCE.gatedRidge(), true);
  }

  /** And matrices of several vectors, whole and torn. */
  @Override
  Stream<HeadScanCase> cases() {
    return Stream.concat(
        super.cases(),
        Stream.of(
            new HeadScanCase(ScalarType.Float, 1, 63, 2, 64, 64, true),
            new HeadScanCase(ScalarType.Float, 1, 21, 1, 128, 128, true),
            new HeadScanCase(ScalarType.BFloat16, 3, 50, 1, 56, 56, true, true),
            new HeadScanCase(ScalarType.Float, 3, 50, 1, 40, 40, true, true)));
  }
}
