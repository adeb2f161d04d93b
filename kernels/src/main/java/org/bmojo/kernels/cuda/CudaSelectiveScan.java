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
 * {@code selective_scan_forward.cu} and {@code selective_scan_backward.cu}. Checkpoints are the
 * states before every 16th token, (B, ⌈T/16⌉, blocks, N, 32): the backward pass walks from one to
 * the one before, with the states between in registers.
 */
public final class CudaSelectiveScan implements SelectiveScan {
  private static final String OP = "selective scan";

  /** Channels of a block, tokens of a forward tile, tokens between checkpoints. */
  private static final int LANES = 32, FORWARD = 32, BETWEEN = 16;

  private static final int MOST_STATES = 64;

  /** Warps of a block up to which the forward pass works on two tiles at once; as in its source. */
  private static final int PIPED = 8;

  /** Tokens that make a piece of time worth its own start. */
  private static final int PIECE = 512;

  @Override
  public Output forward(Inputs in, boolean forBackward) {
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      Tensor y = empty(call.u, Shapes.of(call.u));
      Tensor last = call.floats(call.batch, call.channels, call.states);
      Tensor checkpoints = forBackward ? call.floats(call.checkpoints()) : null;
      call.forward(forBackward)
          .kernel("scan_forward")
          .launch(
              call.forwardGrid(),
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
              call.begin,
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
      long pieces = call.pieces(), piece = call.piece();
      Tensor sums = call.floats(batch, pieces, channels, n + 2);
      Tensor ends = pieces == 1 ? null : call.floats(batch, pieces, channels, n);
      Tensor steps = pieces == 1 ? null : call.floats(batch, pieces, channels);
      Tensor maps = call.floats(batch, blocks, tokens, 2 * n);
      Program program = call.backward();
      Tensor grown = call.door.activation("dy", dy);
      if (pieces > 1) {
        program
            .kernel("scan_backward_piece")
            .launch(
                call.pieceGrid(),
                call.delta,
                call.a,
                call.c,
                call.z,
                call.deltaBias,
                grown,
                ends,
                steps,
                call.begin,
                tokens,
                (int) channels,
                piece);
      }
      program
          .kernel("scan_backward")
          .launch(
              call.backwardGrid(),
              call.u,
              call.delta,
              call.a,
              call.b,
              call.c,
              call.d,
              call.z,
              call.deltaBias,
              call.kept(checkpoints),
              grown,
              call.door.stateOrNull("dLast", dLast),
              du,
              dDelta,
              dz,
              dInitial,
              sums,
              maps,
              call.begin,
              ends,
              steps,
              tokens,
              (int) channels,
              piece);
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
              (int) (batch * pieces),
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
      call.forward(false)
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
    final @Nullable Tensor initial, begin;
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
      begin = door.beginOrNull(in.begin());
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

    /**
     * Measured: fewer threads do less work twice, unless there would be less than one block for
     * every multiprocessor.
     *
     * @param pieces of time side by side; one forward
     */
    private int perThread(long pieces) {
      return states > 32 || perMultiprocessor(pieces) > 1 ? 4 : 2;
    }

    private long perMultiprocessor(long pieces) {
      long count = Device.of(u).multiprocessors();
      return (blocks() * batch * pieces + count - 1) / count;
    }

    /**
     * Pieces of time that the backward pass works on side by side: three blocks a multiprocessor.
     */
    long pieces() {
      long wanted = 3L * Device.of(u).multiprocessors() / (blocks() * batch);
      long most = Math.max(1, Math.min(wanted, tokens / PIECE));
      long piece = piece(most);
      return (tokens + piece - 1) / piece;
    }

    /** Tokens of a piece. */
    long piece() {
      return piece(pieces());
    }

    private long piece(long pieces) {
      return Math.max(1, ((tokens + pieces - 1) / pieces + FORWARD - 1) / FORWARD) * FORWARD;
    }

    Program forward(boolean keep) {
      return program("selective_scan_forward", 1, "KEEP=" + (keep ? 1 : 0));
    }

    Program backward() {
      return program("selective_scan_backward", pieces());
    }

    private Program program(String file, long pieces, String... more) {
      long resident = warps(pieces) > 4 ? 1 : Math.min(3, perMultiprocessor(pieces));
      boolean whole = channels % LANES == 0 && tokens % FORWARD == 0;
      List<String> constants = new ArrayList<>(List.of(more));
      constants.add("ELEMENT=" + Program.type(u));
      constants.add("N=" + states);
      constants.add("STATES=" + perThread(pieces));
      constants.add("VECTOR=" + (channels % 4 == 0 ? 4 : 1));
      constants.add("RESIDENT=" + resident);
      constants.add("WHOLE=" + (whole ? 1 : 0));
      constants.add("PACKED=" + (begin == null ? 0 : 1));
      return Program.of(u, file, constants.toArray(String[]::new));
    }

    /** Warps of a block; a thread carries some states of one channel. */
    private int warps(long pieces) {
      return (int) (states + perThread(pieces) - 1) / perThread(pieces);
    }

    /** States rounded up to what the warps carry. */
    private int padded(long pieces) {
      return warps(pieces) * perThread(pieces);
    }

    Grid forwardGrid() {
      int threads = warps(1) * LANES;
      int floats = FORWARD * (2 * LANES + 2 * padded(1) + warps(1) * LANES);
      int items = (FORWARD * LANES / 4 + threads - 1) / threads * threads;
      int tile = 4 * floats + 2 * 4 * (int) u.element_size() * items + firsts(FORWARD);
      return new Grid(blocks(), batch, 1, threads, warps(1) <= PIPED ? 2 * tile : tile);
    }

    Grid backwardGrid() {
      long pieces = pieces();
      int warps = warps(pieces);
      int floats = 3 * LANES + 4 * padded(pieces) + 3 * warps * LANES;
      int raw = 4 * LANES * (int) u.element_size();
      int shared = BETWEEN * (4 * floats + raw) + 4 * 2 * LANES + firsts(BETWEEN);
      return new Grid(blocks(), batch, pieces, warps * LANES, shared);
    }

    Grid pieceGrid() {
      return new Grid(blocks(), batch, pieces() - 1, warps(pieces()) * LANES, 0);
    }

    /** Bytes that say of so many tokens whether a document begins. */
    private int firsts(int tokens) {
      return begin == null ? 0 : 4 * tokens;
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
