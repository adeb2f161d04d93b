package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** {@code causal_conv.cu}. */
public final class CudaCausalConv implements CausalConv {
  private static final String OP = "causal convolution";
  private static final int THREADS = 128, WIDEST = 8;

  /** Tokens of a thread; backward shares more with the runs beside it. */
  private static final int RUN = 32, BACKWARD_RUN = 64;

  @Override
  public Output forward(Inputs in) {
    try (Scope scope = new Scope()) {
      Call call = new Call(in, RUN);
      Tensor y = empty(call.x, Shapes.of(call.x));
      Tensor last = empty(call.x, call.batch, call.width - 1, call.channels);
      call.program
          .kernel("conv_forward")
          .launch(
              call.grid((call.tokens + RUN - 1) / RUN),
              call.x,
              call.weight,
              call.bias,
              call.initial,
              call.begin,
              y,
              last,
              call.tokens,
              (int) call.channels);
      return new Output(scope.keep(y), scope.keep(last));
    }
  }

  @Override
  public Gradients backward(Inputs in, Tensor dy) {
    return run(null, in, dy);
  }

  @Override
  public Gradients backwardOnto(Tensor before, Inputs in, Tensor dy) {
    Shapes.expect(OP, "before", before, Shapes.of(in.x()));
    return run(before, in, dy);
  }

  private static Gradients run(@Nullable Tensor before, Inputs in, Tensor dy) {
    try (Scope scope = new Scope()) {
      Call call = new Call(in, BACKWARD_RUN);
      Shapes.expect(OP, "dy", dy, Shapes.of(in.x()));
      long channels = call.channels, width = call.width, wide = channels * (width + 1);
      long runs = (call.tokens + width - 1 + BACKWARD_RUN - 1) / BACKWARD_RUN;
      long parts = call.batch * runs;
      Tensor dx = empty(call.x, Shapes.of(call.x));
      Tensor dInitial = empty(call.x, call.batch, width - 1, channels);
      Tensor sums = Floats.empty(call.x, parts, wide), total = Floats.empty(call.x, wide);
      call.program
          .kernel("conv_backward")
          .launch(
              call.grid(runs),
              call.x,
              call.weight,
              call.bias,
              call.initial,
              call.begin,
              call.door.activation("dy", dy),
              before == null ? null : call.door.activation("before", before),
              dx,
              dInitial,
              sums,
              call.tokens,
              (int) channels);
      call.program
          .kernel("conv_sum_parts")
          .launch(new Grid((wide + 31) / 32, 1024), sums, total, (int) parts, wide);
      Tensor dWeight = total.narrow(0, 0, channels * width).view(channels, width);
      Tensor dBias = total.narrow(0, channels * width, channels);
      return new Gradients(
          scope.keep(dx),
          scope.keep(Tensors.as(dWeight, in.weight())),
          in.bias() == null ? null : scope.keep(Tensors.as(dBias, in.bias())),
          scope.keep(dInitial));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Call call = new Call(in, RUN);
      Shapes.expect(OP, "state", state, call.batch, call.width - 1, call.channels);
      Tensor y = empty(call.x, Shapes.of(call.x));
      Grid grid = new Grid(call.grid(1).x(), call.batch, 1, THREADS, 0);
      call.program
          .kernel("conv_step")
          .launch(
              grid,
              call.x,
              call.weight,
              call.bias,
              call.door.mutable("state", state, call.x.scalar_type().intern()),
              y,
              (int) call.channels);
      return scope.keep(y);
    }
  }

  /** The inputs, checked and dense, and the program for them. */
  private static final class Call {
    final Door door;
    final Tensor x, weight;
    final @Nullable Tensor bias, initial, begin;
    final long batch, tokens, channels, width;
    final int vector;
    final Program program;

    Call(Inputs in, int run) {
      door = new Door(OP, in.x());
      x = door.activation("x", in.x());
      weight = door.weight("weight", in.weight());
      Tensor b = in.bias(), before = in.initial();
      // One type for both: a bias of another type is rounded to the weight's.
      bias = b == null ? null : door.weight("bias", Tensors.as(b, weight));
      initial = before == null ? null : door.activation("initial", before);
      begin = door.beginOrNull(in.begin());
      batch = x.size(0);
      tokens = x.size(1);
      channels = x.size(2);
      width = weight.size(1);
      if (width > WIDEST) {
        throw new BadInput(
            OP + ": width " + width,
            "the cuda room expects at most " + WIDEST,
            "use the reference backend");
      }
      vector = channels % 2 == 0 ? 2 : 1;
      program =
          Program.of(
              x,
              "causal_conv",
              "ELEMENT=" + Program.type(x),
              "WEIGHT=" + Program.type(weight),
              "K=" + width,
              "VECTOR=" + vector,
              "PACKED=" + (begin == null ? 0 : 1),
              "RUN=" + run);
    }

    Grid grid(long runs) {
      return new Grid((channels / vector + THREADS - 1) / THREADS, runs, batch, THREADS, 0);
    }
  }
}
