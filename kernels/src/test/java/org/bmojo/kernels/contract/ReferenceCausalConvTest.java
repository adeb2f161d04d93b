package org.bmojo.kernels.contract;

final class ReferenceCausalConvTest extends CausalConvContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
