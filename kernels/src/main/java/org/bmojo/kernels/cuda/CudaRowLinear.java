package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.List;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.RowLinear;
import org.bmojo.kernels.op.TokenStep.Convolution;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * {@code row_linear.cu} for so few rows that the weights' way through memory is all there is to do;
 * cuBLAS for more.
 */
public final class CudaRowLinear implements RowLinear {
  private static final String OP = "row linear";

  /** Rows that one kernel takes, and bytes of them that a block has room for. */
  private static final int MOST_ROWS = 8, MOST_BYTES = 64 << 10;

  private static final int THREADS = 256, WARPS = THREADS / 32;

  /** Blocks of a multiprocessor, and loads of a lane and row at once; measured, not derived. */
  private static final int BLOCKS = 4, AHEAD = 2;

  /** Bytes that are on their way to the cache before a kernel has its rows. */
  private static final long EARLY = 16L << 20;

  @Override
  public void forward(Tensor x, @Nullable Norm norm, List<Map> maps, List<Tensor> added) {
    RowLinear.check(x, norm, maps, added);
    if (fits(x, maps.getFirst().weight())) {
      launch(x, norm, maps, added, false, null, null);
      return;
    }
    try (Scope _ = new Scope()) {
      Tensor rows = normalised(x, norm);
      for (Map map : maps) product(rows, map, added);
    }
    Kernel.interrupted();
  }

  private static void product(Tensor rows, Map map, List<Tensor> added) {
    Tensor weight = map.weight().to(rows.scalar_type()).t();
    if (added.isEmpty()) {
      torch.mm_out(map.out(), rows, weight);
      return;
    }
    // What is added may be the output itself: that goes first, before it is written over.
    boolean itself = added.getLast().is_alias_of(map.out());
    Tensor first = itself ? added.getLast() : added.getFirst();
    torch.addmm_out(map.out(), first, rows, weight, scalar(1), scalar(1));
    if (added.size() > 1) map.out().add_(itself ? added.getFirst() : added.getLast());
  }

  @Override
  public void gated(Tensor x, @Nullable Norm norm, Tensor gate, Tensor up, Tensor out) {
    List<Map> maps = List.of(new Map(gate, out), new Map(up, out));
    RowLinear.check(x, norm, maps, List.of());
    if (fits(x, gate)) {
      launch(x, norm, maps, List.of(), true, null, null);
      return;
    }
    try (Scope _ = new Scope()) {
      Tensor rows = normalised(x, norm);
      Tensor open = rows.matmul(gate.to(x.scalar_type()).t());
      Tensor in = rows.matmul(up.to(x.scalar_type()).t());
      out.copy_(new CudaSwiGlu().forward(open, in));
    }
    Kernel.interrupted();
  }

  private static Tensor normalised(Tensor x, @Nullable Norm norm) {
    if (norm == null) return x;
    Tensor y = new CudaRmsNorm().forward(x, norm.gain(), norm.eps()).y();
    if (norm.out() != null) norm.out().copy_(y);
    return y;
  }

  /** Whether one kernel does it. */
  static boolean fits(Tensor x, Tensor weight) {
    boolean few = x.size(0) <= MOST_ROWS && x.numel() * x.element_size() <= MOST_BYTES;
    return few && x.scalar_type().intern() == weight.scalar_type().intern();
  }

  /**
   * Queues the kernel.
   *
   * @param conv a convolution over the first outputs of the first map, whose {@code x} they are
   * @param near one over the normalised rows, added to them
   */
  static void launch(
      Tensor x,
      @Nullable Norm norm,
      List<Map> maps,
      List<Tensor> added,
      boolean gated,
      @Nullable Convolution conv,
      @Nullable Convolution near) {
    Door door = new Door(OP, x);
    Tensor gain = norm == null ? null : door.weight("gain", norm.gain());
    Map first = maps.getFirst();
    long rows = x.size(0), width = x.size(1);
    long outputs = maps.stream().mapToLong(m -> m.weight().size(0)).sum();
    long pairs = gated ? outputs / 2 : (outputs + 1) / 2;
    int vector = Vectors.width(x, width);
    Device device = Device.of(x);
    int team = team(pairs, width / vector, device);
    long teams = WARPS / team;
    long blocks = Math.min((pairs + teams - 1) / teams, (long) BLOCKS * device.multiprocessors());
    long atOnce = 32L * team * vector * AHEAD, padded = (width + atOnce - 1) / atOnce * atOnce;
    long turn = 2 * blocks * teams * width * first.weight().element_size();
    Map second = maps.size() > 1 ? maps.get(1) : null, third = maps.size() > 2 ? maps.get(2) : null;
    Program.of(
            x,
            "row_linear",
            "ELEMENT=" + Program.type(x),
            "WEIGHT=" + Program.type(first.weight()),
            "GAIN=" + (gain == null ? "float" : Program.type(gain)),
            "ROWS=" + rows,
            "WIDTH=" + width,
            "VECTOR=" + vector,
            "TEAM=" + team,
            "AHEAD=" + AHEAD,
            "RESIDENT=" + BLOCKS,
            "NORM=" + (norm == null ? 0 : 1),
            "GATED=" + (gated ? 1 : 0),
            "CONV=" + (conv == null ? 0 : conv.weight().size(1)),
            "NEAR=" + (near == null ? 0 : near.weight().size(1)))
        .kernel("row_linear")
        .launchEarly(
            new Grid(blocks, 1, 1, THREADS, Math.toIntExact(rows * padded * x.element_size())),
            x(door, x),
            gain,
            norm == null ? 0f : (float) norm.eps(),
            norm == null ? null : norm.out(),
            weight(door, first),
            weight(door, second),
            weight(door, third),
            out(door, first),
            out(door, second),
            out(door, third),
            count(first),
            count(second),
            count(third),
            added.isEmpty() ? null : door.activation("added", added.getFirst()),
            added.size() < 2 ? null : door.activation("added", added.get(1)),
            (int) ((EARLY + turn - 1) / turn),
            conv == null ? null : conv.weight(),
            conv == null ? null : conv.bias(),
            conv == null ? null : conv.state(),
            conv == null ? 0 : (int) conv.weight().size(0),
            conv == null ? null : conv.out(),
            near == null ? null : near.weight(),
            near == null ? null : near.bias(),
            near == null ? null : near.state(),
            near == null ? null : near.out());
  }

  /** Warps that share a pair of outputs: enough to keep the memory busy, each with work to do. */
  private static int team(long pairs, long loads, Device device) {
    int team = 1;
    while (team < WARPS && pairs * team < 16L * device.multiprocessors() && 64L * team <= loads) {
      team *= 2;
    }
    return team;
  }

  private static Tensor x(Door door, Tensor x) {
    return door.mutable("x", x, x.scalar_type().intern()); // A copy would go to another graph.
  }

  private static @Nullable Tensor weight(Door door, @Nullable Map map) {
    return map == null ? null : door.weight("weight", map.weight());
  }

  private static @Nullable Tensor out(Door door, @Nullable Map map) {
    if (map == null) return null;
    return door.mutable("out", map.out(), door.like().scalar_type().intern());
  }

  private static int count(@Nullable Map map) {
    return map == null ? 0 : Math.toIntExact(map.weight().size(0));
  }
}
