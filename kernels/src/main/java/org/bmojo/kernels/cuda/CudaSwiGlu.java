package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.SwiGlu;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;

/** {@code swiglu.cu}: three streams forward, five backward. */
public final class CudaSwiGlu implements SwiGlu {
  private static final String OP = "SwiGLU";

  @Override
  public Tensor forward(Tensor gate, Tensor up) {
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, gate);
      Shapes.expect(OP, "up", up, Shapes.of(gate));
      Tensor y = empty(gate, Shapes.of(gate));
      Stream stream = new Stream(gate);
      stream
          .program
          .kernel("swiglu_forward")
          .launch(
              stream.grid,
              door.activation("gate", gate),
              door.activation("up", up),
              y,
              stream.size);
      return scope.keep(y);
    }
  }

  @Override
  public Gradients backward(Tensor gate, Tensor up, Tensor dy) {
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, gate);
      Shapes.expect(OP, "up", up, Shapes.of(gate));
      Shapes.expect(OP, "dy", dy, Shapes.of(gate));
      Tensor dGate = empty(gate, Shapes.of(gate)), dUp = empty(gate, Shapes.of(gate));
      Stream stream = new Stream(gate);
      stream
          .program
          .kernel("swiglu_backward")
          .launch(
              stream.grid,
              door.activation("gate", gate),
              door.activation("up", up),
              door.activation("dy", dy),
              dGate,
              dUp,
              stream.size);
      return new Gradients(scope.keep(dGate), scope.keep(dUp));
    }
  }

  /** A thread per 16 bytes, or per element where the size is odd. */
  private static final class Stream {
    final long size;
    final Program program;
    final Grid grid;

    Stream(Tensor like) {
      size = like.numel();
      int vector = Vectors.width(like, size);
      program = Program.of(like, "swiglu", "ELEMENT=" + Program.type(like), "VECTOR=" + vector);
      grid = new Grid((size / vector + 255) / 256, 256);
    }
  }
}
