package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.HeadScan.Parts;
import org.bmojo.kernels.cuda.HeadScan.States;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * {@code gated_ridge.cu}: the matrices before all chunks of 64 tokens first, as SSD's states with
 * keys for values; then every chunk is solved by itself. Nothing is kept for backward, which makes
 * the matrices again: they take a tenth of the time of a solution, and more memory than all else.
 *
 * <p>In bfloat16 early iterations are coarse where no backward follows: what they leave in z is
 * below its rounding. It is not below what gradients of keys feel of it, where few keys make a
 * matrix.
 *
 * <p>float32 is solved with three planes of bfloat16 to an operand, twice the products; states that
 * a block has no room for, rows of more than 128 and on smaller devices fewer in float32, are left
 * to another room.
 */
public final class CudaGatedRidge implements GatedRidge {
  private static final String OP = "gated ridge";
  private static final int CHUNK = 64, THREADS = 128;
  private static final long MOST = 128;

  private final GatedRidge otherwise;

  /** With {@code otherwise} for matrices of more than 128 rows. */
  public CudaGatedRidge(GatedRidge otherwise) {
    this.otherwise = otherwise;
  }

  @Override
  public Output forward(Inputs in, boolean forBackward) {
    if (!Room.serves(in)) return otherwise.forward(in, forBackward);
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      States matrices = call.matrices();
      Tensor z = empty(call.k, Shapes.of(call.k));
      int coarse = forBackward || !call.room.narrow() ? 0 : coarse(in.solver());
      call.solve(in.solver(), coarse, call.q, matrices.starts(), z, null);
      return new Output(scope.keep(z), scope.keep(matrices.last()), null);
    }
  }

  @Override
  public Gradients backward(Inputs in, Output out, Tensor dz, @Nullable Tensor dLast) {
    if (!Room.serves(in)) return otherwise.backward(in, out, dz, dLast);
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      Tensor slope = call.door.activation("dz", dz), z = call.door.activation("z", out.z());
      Tensor ends = call.door.stateOrNull("dLast", dLast);
      States matrices = call.matrices();
      Tensor dq = empty(call.q, Shapes.of(call.q)), dk = empty(call.k, Shapes.of(call.k));
      Solved solved = new Solved(call, z);
      call.solve(in.solver(), 0, slope, matrices.starts(), dq, solved);
      Tensor written = Floats.empty(call.g, Shapes.of(matrices.starts()));
      call.launch(
          "ridge_matrices",
          call.room.bytesOfMatrices(),
          call.k,
          z,
          solved.fine,
          call.g,
          call.begin,
          solved.slopes,
          matrices.starts(),
          written,
          call.tokens,
          (int) call.heads,
          (int) call.dim);
      States after = call.scan.chain(call.k, written, matrices.wholes(), ends, true);
      Tensor dg = empty(call.g, Shapes.of(call.g));
      call.launch(
          "ridge_keys",
          call.room.bytesOfKeys(),
          call.k,
          z,
          solved.fine,
          call.g,
          call.begin,
          solved.slopes,
          solved.pulls,
          matrices.starts(),
          after.starts(),
          dk,
          dg,
          call.tokens,
          (int) call.heads,
          (int) call.dim);
      return new Gradients(
          scope.keep(dq), scope.keep(dk), scope.keep(dg), scope.keep(after.last()));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    if (!Room.serves(in)) return otherwise.step(in, state);
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      Shapes.expect(OP, "state", state, call.batch, call.heads, call.dim, call.dim);
      Tensor z = empty(call.q, Shapes.of(call.q));
      Program.of(
              call.q,
              "gated_ridge_step",
              "ELEMENT=" + Program.type(call.q),
              "EDGE=" + edge(call.dim))
          .kernel("ridge_step")
          .launch(
              new Grid(call.batch * call.heads, 256),
              call.q,
              call.k,
              call.g,
              call.door.mutable("state", state, ScalarType.Float),
              z,
              (float) in.solver().ridge(),
              in.solver().iterations(),
              (int) call.dim);
      return scope.keep(z);
    }
  }

  /**
   * Iterations whose errors those after them make a hundredth of: each leaves what Chebyshev's do
   * on an interval of that condition.
   */
  private static int coarse(Solver solver) {
    double root = Math.sqrt(1 + 1 / solver.ridge());
    double rate = Math.log((root + 1) / (root - 1));
    return (int) Math.max(0, solver.iterations() - Math.ceil(4.5 / rate));
  }

  /** Of a thread's square among 16 by 16. */
  private static int edge(long dim) {
    int edge = 1;
    while (16 * edge < dim) edge *= 2;
    return edge;
  }

  /** What backward's solver leaves besides dq. */
  private static final class Solved {
    final Tensor z, fine, slopes, pulls;

    Solved(Call call, Tensor z) {
      this.z = z;
      fine = Floats.empty(call.g, Shapes.of(call.q)); // (B, T, H, D) dq
      slopes = Floats.empty(call.g, call.batch, call.heads, call.tokens);
      pulls = Floats.empty(call.g, Shapes.of(slopes));
    }
  }

  /**
   * Shared memory of blocks, as the sources lay it out.
   *
   * @param like activations
   * @param dim D
   */
  private record Room(Tensor like, long dim) {
    /** What is not asked for at the launch, and the 1 KB that the device takes of each block. */
    private static final int FIXED = 4 << 10;

    /** Refuses what this room knows nothing of; whether there is place for the rest. */
    static boolean serves(Inputs in) {
      Tensor like = new Door(OP, in.k()).like();
      long dim = like.size(3);
      if (dim > MOST || !HeadScan.serves(like, dim, dim, false)) return false;
      Room room = new Room(like, dim);
      int most = Math.max(room.bytesOfSolver(), room.bytesOfMatrices());
      return Math.max(most, room.bytesOfKeys()) <= Device.of(like).shared() - FIXED;
    }

    boolean narrow() {
      return like.scalar_type().intern() == ScalarType.BFloat16;
    }

    /** Planes of an activation. */
    private int planes() {
      return narrow() ? 1 : 3;
    }

    /** Planes of what shall keep a float's digits. */
    private int fine() {
      return narrow() ? 2 : 3;
    }

    long rows() {
      return (dim + 31) / 32 * 32;
    }

    /** Bytes of a plane of so many rows. */
    private int plane(long rows) {
      return (int) (2 * rows * (rows() + 8));
    }

    int bytesOfSolver() {
      int between = 10 * 16 * 16 * 4; // blocks of tokens on and below the diagonal
      return fine() * plane(rows()) + planes() * plane(CHUNK) + between;
    }

    int bytesOfMatrices() {
      return (2 * planes() + fine()) * plane(CHUNK);
    }

    int bytesOfKeys() {
      int tokens = (planes() + fine()) * plane(CHUNK);
      return planes() * plane(CHUNK) + Math.max(fine() * plane(rows()), tokens);
    }

    /** Blocks on a multiprocessor, as far as registers go. */
    int resident() {
      return narrow() ? rows() > 64 ? 2 : 3 : 1;
    }
  }

  /** The inputs, checked and dense. */
  private static final class Call {
    final Door door;
    final Tensor q, k, g;
    final @Nullable Tensor initial, begin;
    final long batch, tokens, heads, dim;
    final HeadScan scan;
    final Room room;

    Call(Inputs in) {
      door = new Door(OP, in.k());
      q = door.activation("q", in.q());
      k = door.activation("k", in.k());
      g = door.state("g", in.g());
      initial = door.stateOrNull("initial", in.initial());
      begin = door.beginOrNull(in.begin());
      batch = k.size(0);
      tokens = k.size(1);
      heads = k.size(2);
      dim = k.size(3);
      scan = HeadScan.ofChunks(g, begin);
      room = new Room(k, dim);
    }

    /** M before every chunk, (chunks, B, H, D, D), and after the last. */
    States matrices() {
      return scan.states(new Parts(k, k, k, false, false), initial);
    }

    /**
     * Solves for {@code b} (B, T, H, D) into {@code out}.
     *
     * @param coarse iterations at the activations' precision
     * @param more what gradients want besides, or null
     */
    void solve(
        Solver solver, int coarse, Tensor b, Tensor matrices, Tensor out, @Nullable Solved more) {
      program("gated_ridge", "GRADIENT=" + (more == null ? 0 : 1))
          .kernel("ridge_solve")
          .launch(
              grid(room.bytesOfSolver()),
              b,
              k,
              g,
              begin,
              matrices,
              out,
              more == null ? null : more.z,
              more == null ? null : more.fine,
              more == null ? null : more.slopes,
              more == null ? null : more.pulls,
              (float) solver.ridge(),
              solver.iterations(),
              coarse,
              solver.throughLambda() ? 1 : 0,
              tokens,
              (int) heads,
              (int) dim);
    }

    void launch(String kernel, int shared, @Nullable Object... arguments) {
      program("gated_ridge_backward", "GRADIENT=1").kernel(kernel).launch(grid(shared), arguments);
    }

    private Grid grid(int shared) {
      return new Grid((tokens + CHUNK - 1) / CHUNK, batch * heads, 1, THREADS, shared);
    }

    private Program program(String file, String constant) {
      return Program.of(
          k,
          file,
          "ELEMENT=" + Program.type(k),
          "KEYS_TO=" + room.rows(),
          "ALIGNED=" + (dim % 8 == 0 ? 1 : 0),
          "RESIDENT=" + room.resident(),
          constant);
    }
  }
}
