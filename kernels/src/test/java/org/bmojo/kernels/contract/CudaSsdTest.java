package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Close.assertSame;

import java.util.stream.Stream;
import org.bmojo.kernels.op.Ssd;
import org.bmojo.kernels.op.Ssd.Inputs;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("gpu")
final class CudaSsdTest extends SsdContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }

  /** And the sizes that tiles are made for, whole and torn, and a state too large for them. */
  @Override
  Stream<HeadScanCase> cases() {
    return Stream.concat(
        super.cases(),
        room().types().stream()
            .flatMap(type ->
                Stream.concat(
                    HeadScanCase.large(type),
                    Stream.of(new HeadScanCase(type, 1, 13, 1, 130, 4, true)))));
  }

  /** Columns of a wider tensor, shared by all heads, give what dense copies of them give. */
  @Test
  void headsShareQueriesAndKeys() {
    for (ScalarType type : room().types()) {
      try (Scope scope = new Scope()) {
        Draw draw = room().draw(3, type);
        Tensor mixed = draw.normal(2, 70, 96), v = draw.normal(2, 70, 3, 16);
        Tensor g = draw.uniformState(-0.4, -0.01, 2, 70, 3);
        Tensor q = mixed.narrow(2, 16, 32).unsqueeze(2).expand(2, 70, 3, 32);
        Tensor k = mixed.narrow(2, 48, 32).unsqueeze(2).expand(2, 70, 3, 32);
        Inputs shared = new Inputs(q, k, v, g, null);
        Inputs dense = new Inputs(q.contiguous(), k.contiguous(), v, g, null);
        Ssd op = room().kernels().ssd();
        Ssd.Output one = op.forward(shared, true), other = op.forward(dense, true);
        assertSame("y", one.y(), other.y());
        Ssd.Gradients d = op.backward(shared, one.checkpoints(), v, null);
        Ssd.Gradients e = op.backward(dense, other.checkpoints(), v, null);
        assertSame("dq", d.q(), e.q());
        assertSame("dk", d.k(), e.k());
        assertSame("dg", d.g(), e.g());
      }
    }
  }
}
