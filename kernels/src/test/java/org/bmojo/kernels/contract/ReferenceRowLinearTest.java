package org.bmojo.kernels.contract;

final class ReferenceRowLinearTest extends RowLinearContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
