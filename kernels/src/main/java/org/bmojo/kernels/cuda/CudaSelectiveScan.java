package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.SelectiveScan;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * {@code selective_scan.cu}. Checkpoints are the states before every 16th token, (B, ⌈T/16⌉,
 * threads, states per thread): the backward pass walks from one to the one before, with the states
 * between in registers.
 */
public final class CudaSelectiveScan implements SelectiveScan {
  private static final String OP = "selective scan";
  /** Channels of a block, tokens between checkpoints. */
  private static final int LANES = 32, BETWEEN = 16;

  private static final int THREADS = 128, MOST_STATES = 64;

  @Override
  public Output forward(Inputs in, boolean forBackward) {
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      Tensor y = empty(call.u, Shapes.of(call.u));
      Tensor last = call.floats(call.batch, call.channels, call.states);
      Tensor checkpoints = forBackward ? call.floats(call.checkpoints()) : null;
      call.forward()
          .kernel("scan_forward")
          .launch(
              call.grid(0),
              call.u,
              call.delta,
              call.a,
              call.b,
              call.c,
              call.d,
              call.z,
              call.deltaBias,
              call.initial,
              y,
              last,
              checkpoints,
              call.tokens,
              (int) call.channels);
      return new Output(
          scope.keep(y), scope.keep(last), checkpoints == null ? null : scope.keep(checkpoints));
    }
  }

  @Override
  public Gradients backward(
      Inputs in, @Nullable Tensor checkpoints, Tensor dy, @Nullable Tensor dLast) {
    if (checkpoints == null)
      throw new IllegalStateException("forward was told no backward follows");
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      long batch = call.batch, tokens = call.tokens, channels = call.channels, n = call.states;
      long blocks = call.blocks();
      Tensor du = empty(call.u, Shapes.of(call.u)), dz = empty(call.u, Shapes.of(call.u));
      Tensor dDelta = empty(call.u, Shapes.of(call.u));
      Tensor dInitial = call.floats(batch, channels, n);
      Tensor sums = call.floats(batch, channels, n + 2);
      Tensor maps = call.floats(batch, blocks, tokens, 2 * n);
      Program program = call.backward();
      program
          .kernel("scan_backward")
          .launch(
              call.grid(call.backwardShared()),
              call.u,
              call.delta,
              call.a,
              call.b,
              call.c,
              call.d,
              call.z,
              call.deltaBias,
              call.kept(checkpoints),
              call.door.activation("dy", dy),
              call.door.stateOrNull("dLast", dLast),
              du,
              dDelta,
              dz,
              dInitial,
              sums,
              maps,
              tokens,
              (int) channels);
      Tensor db = empty(call.b, Shapes.of(call.b)), dc = empty(call.c, Shapes.of(call.c));
      long elements = tokens * 2 * n;
      program
          .kernel("scan_sum_maps")
          .launch(
              new Grid((elements + 255) / 256, batch, 1, 256, 0),
              maps,
              db,
              dc,
              tokens,
              (int) blocks);
      Tensor da = empty(call.a, channels, n);
      Tensor dd = empty(call.a, channels), dBias = empty(call.a, channels);
      program
          .kernel("scan_sum_sequences")
          .launch(
              new Grid((channels * (n + 2) + 255) / 256, 256),
              sums,
              da,
              dd,
              dBias,
              (int) batch,
              (int) channels);
      return new Gradients(
          scope.keep(du),
          scope.keep(dDelta),
          scope.keep(da),
          scope.keep(db),
          scope.keep(dc),
          scope.keep(dd),
          scope.keep(dz),
          scope.keep(dBias),
          scope.keep(dInitial));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      Shapes.expect(OP, "state", state, call.batch, call.channels, call.states);
      Tensor y = empty(call.u, Shapes.of(call.u));
      call.forward()
          .kernel("scan_step")
          .launch(
              new Grid((call.channels + 127) / 128, call.batch, 1, 128, 0),
              call.u,
              call.delta,
              call.a,
              call.b,
              call.c,
              call.d,
              call.z,
              call.deltaBias,
              call.door.mutable("state", state, ScalarType.Float),
              y,
              (int) call.channels);
      return scope.keep(y);
    }
  }

  /** The inputs, checked and dense, and the program for them. */
  private static final class Call {
    final Door door;
    final Tensor u, delta, a, b, c, d, z, deltaBias;
    final @Nullable Tensor initial;
    final long batch, tokens, channels, states;

    Call(Inputs in) {
      door = new Door(OP, in.u());
      u = door.activation("u", in.u());
      delta = door.activation("delta", in.delta());
      a = door.state("a", in.a());
      b = door.activation("b", in.b());
      c = door.activation("c", in.c());
      d = door.state("d", in.d());
      z = door.activation("z", in.z());
      deltaBias = door.state("deltaBias", in.deltaBias());
      initial = door.stateOrNull("initial", in.initial());
      batch = u.size(0);
      tokens = u.size(1);
      channels = u.size(2);
      states = a.size(1);
      if (states > MOST_STATES) {
        throw new BadInput(
            OP + ": " + states + " states per channel",
            "the cuda room expects at most " + MOST_STATES,
            "use the reference backend");
      }
    }

    /** States of each of the four lanes that share a channel, rounded up to a power of two. */
    private int perLane() {
      return Integer.highestOneBit(2 * (int) ((states + 3) / 4) - 1);
    }

    Program forward() {
      return program("selective_scan_forward");
    }

    Program backward() {
      long count = Device.of(u).multiprocessors(), each = (blocks() * batch + count - 1) / count;
      return program("selective_scan_backward", "RESIDENT=" + Math.min(3, each));
    }

    private Program program(String file, String... more) {
      List<String> constants =
          new ArrayList<>(
              List.of(
                  "ELEMENT=" + Program.type(u),
                  "N=" + states,
                  "STATES=" + perLane(),
                  "PAIR=" + (channels % 2 == 0 ? 2 : 1)));
      constants.addAll(List.of(more));
      return Program.of(u, file, constants.toArray(String[]::new));
    }

    Grid grid(int shared) {
      return new Grid(blocks(), batch, 1, THREADS, shared);
    }

    /** Bytes: each warp's tile, two turns of its share of the maps' gradients. */
    int backwardShared() {
      int padded = 4 * perLane(), sums = u.element_size() == 2 ? 8 : 3 * BETWEEN * 8;
      int tile = 16 * BETWEEN * 8 + 4 * (2 * BETWEEN * padded + sums);
      return THREADS / 32 * (tile + 2 * 4 * BETWEEN * 2 * padded);
    }

    long[] checkpoints() {
      return new long[] {batch, (tokens + BETWEEN - 1) / BETWEEN, blocks(), states, LANES};
    }

    Tensor kept(Tensor checkpoints) {
      Shapes.expect(OP, "checkpoints", checkpoints, checkpoints());
      return door.state("checkpoints", checkpoints);
    }

    /** Blocks that share a sequence's channels. */
    long blocks() {
      return (channels + LANES - 1) / LANES;
    }

    Tensor floats(long... shape) {
      return empty(a, shape);
    }
  }
}
