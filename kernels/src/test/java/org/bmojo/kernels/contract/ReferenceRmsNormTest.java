package org.bmojo.kernels.contract;

final class ReferenceRmsNormTest extends RmsNormContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
