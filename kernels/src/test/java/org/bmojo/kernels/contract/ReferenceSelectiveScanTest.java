package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.Map;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

final class ReferenceSelectiveScanTest extends SelectiveScanContract {
  @Override
  Room room() {
    return Room.reference();
  }

  @Test
  void agreesWithFiniteDifferences() {
    try (Scope scope = new Scope()) {
      var given = new ScanCase(ScalarType.Double, 2, 4, 3, 2, true).given(room());
      var op = room().kernels().selectiveScan();
      var checkpoints = op.forward(given.in(), true).checkpoints();
      Map<String, Tensor> gradients =
          named(op.backward(given.in(), checkpoints, given.dy(), given.dLast()));
      given
          .tensors()
          .forEach((name, input) -> {
            Tensor wanted =
                FiniteDifferences.of(
                    input,
                    () -> {
                      var out = op.forward(given.in(), false);
                      Tensor y = out.y().mul(given.dy()).sum();
                      return y.add(out.last().mul(given.dLast()).sum());
                    });
            assertWithin("d" + name, ScanCase.get(gradients, name), wanted, 1e-8);
          });
    }
  }
}
