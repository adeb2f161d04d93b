package org.bmojo.kernels.cuda;

import java.util.List;
import java.util.stream.Stream;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.RowLinear;
import org.bmojo.kernels.op.TokenStep;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * {@code token_step.cu}, {@code token_scan.cu}, {@code token_attention.cu}, {@code token_score.cu}
 * and {@code token_memory.cu}.
 */
public final class CudaTokenStep implements TokenStep {
  private static final String OP = "token step";
  private static final int THREADS = 128;

  @Override
  public void queue(Runnable work) {
    Kernel.inARow(work);
  }

  @Override
  public void begin(
      Tensor table,
      Tensor ids,
      Tensor positions,
      @Nullable Tensor frequencies,
      Tensor x,
      @Nullable Tensor cosines,
      @Nullable Tensor sines) {
    Door door = new Door(OP, x);
    small(x, table, 2, 2)
        .kernel("token_begin")
        .launchEarly(
            new Grid(x.size(0), 256),
            door.weight("table", table),
            door.index("ids", ids),
            door.index("positions", positions),
            frequencies,
            x,
            cosines,
            sines,
            (int) x.size(1),
            frequencies == null ? 0 : (int) frequencies.size(0));
  }

  @Override
  public void end(Tensor logits, Tensor ids, Tensor positions, Tensor active) {
    Door door = new Door(OP, logits);
    small(logits, logits, 2, 2)
        .kernel("token_end")
        .launchEarly(
            new Grid(logits.size(0), 1024),
            door.activation("logits", logits),
            (int) logits.size(1),
            door.index("ids", ids),
            door.index("positions", positions),
            door.index("active", active));
  }

  private static Program small(Tensor like, Tensor weight, long taps0, long taps1) {
    return Program.of(
        like,
        "token_step",
        "ELEMENT=" + Program.type(like),
        "WEIGHT=" + Program.type(weight),
        "K0=" + taps0,
        "K1=" + taps1);
  }

  @Override
  public void enter(
      Tensor x,
      RowLinear.Norm norm,
      RowLinear.Map map,
      Convolution plain,
      @Nullable Convolution residual) {
    if (CudaRowLinear.fits(x, map.weight()) && alike(norm.gain(), plain, residual)) {
      CudaRowLinear.launch(x, norm, List.of(map), List.of(), false, plain, residual);
      return;
    }
    new CudaRowLinear().forward(x, norm, List.of(map), List.of());
    convolve(plain, residual);
  }

  /** Whether all small weights are of one type. */
  private static boolean alike(Tensor gain, @Nullable Convolution... convolutions) {
    String type = Program.type(gain);
    for (Convolution c : convolutions) {
      if (c == null) continue;
      boolean same = type.equals(Program.type(c.weight()));
      if (!same || (c.bias() != null && !type.equals(Program.type(c.bias())))) return false;
    }
    return true;
  }

  private static void convolve(Convolution plain, @Nullable Convolution residual) {
    Door door = new Door(OP, plain.x());
    long widest = Math.max(channels(plain), channels(residual));
    small(plain.x(), plain.weight(), taps(plain), taps(residual))
        .kernel("token_convolutions")
        .launchEarly(
            new Grid((widest + THREADS - 1) / THREADS, plain.x().size(0), 2, THREADS, 0),
            plain.x(),
            (int) plain.x().stride(0),
            door.weight("weight", plain.weight()),
            plain.bias(),
            state(door, plain),
            plain.out(),
            channels(plain),
            residual == null ? null : residual.x(),
            residual == null ? 0 : (int) residual.x().stride(0),
            residual == null ? null : door.weight("weight", residual.weight()),
            residual == null ? null : residual.bias(),
            residual == null ? null : state(door, residual),
            residual == null ? null : residual.out(),
            channels(residual));
  }

  private static Tensor state(Door door, Convolution c) {
    return door.mutable("state", c.state(), c.x().scalar_type().intern());
  }

  private static int channels(@Nullable Convolution c) {
    return c == null ? 0 : (int) c.x().size(1);
  }

  private static long taps(@Nullable Convolution c) {
    return c == null ? 2 : c.weight().size(1);
  }

  @Override
  public void scan(Scan in) {
    Door door = new Door(OP, in.u());
    long batch = in.u().size(0), channels = in.u().size(1), states = in.a().size(1);
    int lanes = states % 4 == 0 ? 4 : 1;
    int turns = batch <= 8 ? 1 : 8; // More sequences share what is read of the weights.
    Program.of(
            in.u(),
            "token_scan",
            "ELEMENT=" + Program.type(in.u()),
            "WEIGHT=" + Program.type(in.steps()),
            "N=" + states,
            "RANK=" + in.steps().size(1),
            "LANES=" + lanes,
            "SEQUENCES=" + turns)
        .kernel("token_scan")
        .launchEarly(
            new Grid(
                (channels * lanes + THREADS - 1) / THREADS,
                (batch + turns - 1) / turns,
                1,
                THREADS,
                0),
            door.activation("u", in.u()),
            door.activation("maps", in.maps()),
            door.weight("steps", in.steps()),
            door.state("step bias", in.deltaBias()),
            door.state("a", in.a()),
            door.state("d", in.d()),
            in.z(),
            (int) in.z().stride(0),
            door.mutable("state", in.state(), ScalarType.Float),
            in.out(),
            (int) batch,
            (int) channels);
  }

  @Override
  public void attend(Attention in) {
    Heads of = in.of();
    Door door = new Door(OP, of.q());
    long batch = of.q().size(0), dim = of.q().size(1) / in.heads();
    long filling = 2L * Device.of(of.q()).multiprocessors();
    long splits = Math.clamp(filling / (batch * in.heads()), 1, SPLITS);
    Memory window = in.window(), fading = in.fading();
    Kept kept = in.kept();
    Angles angles = in.angles();
    Program.of(
            of.q(),
            "token_attention",
            "ELEMENT=" + Program.type(of.q()),
            "D=" + dim,
            "THREADS=" + THREADS,
            "SPLITS=" + splits)
        .kernel("token_attention")
        .launchEarly(
            new Grid(in.heads() * splits, batch, 1, THREADS, 0),
            door.activation("q", of.q()),
            door.activation("k", of.k()),
            door.activation("v", of.v()),
            of.fadingK(),
            of.fadingV(),
            door.index("positions", in.positions()),
            angles.cosines(),
            angles.sines(),
            angles.farCosines(),
            angles.farSines(),
            ring(door, window.k()),
            ring(door, window.v()),
            window.k().size(1),
            window.span(),
            fading == null ? null : ring(door, fading.k()),
            fading == null ? null : ring(door, fading.v()),
            fading == null ? 0L : fading.k().size(1),
            fading == null ? 0 : fading.span(),
            kept == null ? null : ring(door, kept.k()),
            kept == null ? null : ring(door, kept.v()),
            kept == null ? null : door.state("bias", kept.bias()),
            kept == null ? 0 : (int) kept.k().size(1),
            (int) window.k().size(2),
            (float) in.scale(),
            in.workspace().parts(),
            in.workspace().arrived(),
            in.out());
  }

  private static Tensor ring(Door door, Tensor rows) {
    return door.mutable("memory", rows, door.like().scalar_type().intern());
  }

  @Override
  public void score(Eidetic memories, Tensor positions, double eps) {
    int vector = Vectors.width(memories.like(), memories.width());
    int loads = (memories.width() + vector - 1) / vector;
    // A predictor keeps many warps busy; without one, a thread each for what there is to load.
    int threads = memories.rank() > 0 ? 1024 : Math.clamp((loads + 31) / 32 * 32, 32, 1024);
    memory(
            memories,
            "token_score",
            "WIDTH=" + memories.width(),
            "RANK=" + memories.rank(),
            "SCALE_FREE=" + (memories.scaleFree() ? 1 : 0),
            "VECTOR=" + vector,
            "THREADS=" + threads)
        .kernel("token_score")
        .launchEarly(
            new Grid(memories.batch(), memories.layers().size(0), 1, threads, 0),
            memories.layers(),
            positions,
            memories.rows(),
            (float) eps);
  }

  @Override
  public void refresh(
      Eidetic memories, Tensor positions, @Nullable Tensor frequencies, Tensor chosen) {
    long layers = memories.layers().size(0);
    Program program = memory(memories, "token_memory", "D=" + memories.dim());
    program
        .kernel("memory_select")
        .launchEarly(
            new Grid(memories.batch(), layers, 1, 256, 0),
            memories.layers(),
            positions,
            chosen,
            memories.rows(),
            memories.capacity(),
            memories.window(),
            memories.chunk(),
            memories.heads());
    long columns = (long) memories.groups() * memories.dim() / 2;
    program
        .kernel("memory_gather")
        .launchEarly(
            new Grid((columns + THREADS - 1) / THREADS, memories.batch(), layers, THREADS, 0),
            memories.layers(),
            positions,
            chosen,
            frequencies,
            memories.rows(),
            memories.capacity(),
            memories.chunk(),
            memories.groups());
  }

  private static Program memory(Eidetic memories, String file, String... more) {
    Stream<String> types =
        Stream.of(
            "ELEMENT=" + Program.type(memories.like()),
            "PREDICTOR=" + type(memories.predictor()),
            "IMPORTANCE=" + type(memories.importance()));
    String[] all = Stream.concat(types, Stream.of(more)).toArray(String[]::new);
    return Program.of(memories.like(), file, all);
  }

  private static String type(@Nullable Tensor weight) {
    return weight == null ? "float" : Program.type(weight);
  }
}
