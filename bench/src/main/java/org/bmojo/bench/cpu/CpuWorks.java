package org.bmojo.bench.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Supplier;
import org.bmojo.bench.cpu.CpuLab.Work;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.op.CausalConv;
import org.bmojo.kernels.op.SelectiveScan;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The operations at the sizes of small, middling and long training batches. */
final class CpuWorks {
  /** A work by name, its tensors made only when it is its turn. */
  record Sized(String name, Supplier<Work> make) {}

  private CpuWorks() {}

  static List<Sized> all() {
    List<Sized> all = new ArrayList<>();
    long[][] scans = {{64, 64, 256, 16}, {8, 256, 512, 16}, {1, 4096, 1536, 16}};
    for (long[] s : scans) {
      add(all, name("scan forward", s), () -> scan(s, false));
      add(all, name("scan forward and backward", s), () -> scan(s, true));
    }
    long[][] heads = {{2, 207, 3, 40, 72}, {2, 512, 8, 64, 64}, {1, 1024, 8, 128, 128}};
    for (long[] s : heads) {
      for (boolean both : new boolean[] {false, true}) {
        String passes = both ? " forward and backward" : " forward";
        add(all, name("SSD" + passes, s), () -> HeadWorks.ssd(name("SSD" + passes, s), s, both));
        String delta = name("gated delta rule" + passes, s);
        add(all, delta, () -> HeadWorks.gatedDelta(delta, s, both));
      }
    }
    long[][] solved = {{2, 207, 3, 40, 40}, {2, 512, 8, 64, 64}, {1, 256, 4, 128, 128}};
    for (long[] s : solved) {
      for (boolean both : new boolean[] {false, true}) {
        String ridge = name("GKA's ridge" + (both ? " forward and backward" : " forward"), s);
        add(all, ridge, () -> HeadWorks.gatedRidge(ridge, s, both));
      }
    }
    long[] one = {4, 1, 8, 64, 64};
    String step = name("GKA's ridge step", one);
    add(all, step, () -> HeadWorks.ridgeStep(step, one));
    long[][] activations = {{8, 256, 512}, {1, 4096, 1536}};
    for (long[] s : activations) {
      add(all, name("convolution forward and backward", s), () -> conv(s));
      add(all, name("RMSNorm forward and backward", s), () -> norm(s));
      add(all, name("SwiGLU forward and backward", s), () -> gate(s));
      add(all, name("rotary forward", s), () -> rotary(s));
      add(all, name("innovation forward and backward", s), () -> innovation(s));
      add(all, name("AdamW step", s), () -> adamW(s));
    }
    return all;
  }

  private static void add(List<Sized> all, String name, Supplier<Work> make) {
    all.add(new Sized(name, make));
  }

  private static String name(String operation, long[] shape) {
    StringBuilder name = new StringBuilder(operation).append(" (").append(shape[0]);
    for (int i = 1; i < shape.length; i++)
      name.append(String.format(Locale.ROOT, ", %d", shape[i]));
    return name.append(')').toString();
  }

  /** Forward 4 streams and backward 7; an exponential each time for every token, channel, state. */
  private static Work scan(long[] s, boolean both) {
    long batch = s[0], tokens = s[1], channels = s[2], states = s[3];
    var in =
        new SelectiveScan.Inputs(
            normal(batch, tokens, channels),
            normal(batch, tokens, channels),
            normal(channels, states).abs().neg(),
            normal(batch, tokens, states),
            normal(batch, tokens, states),
            normal(channels),
            normal(batch, tokens, channels),
            normal(channels).sub(new Scalar(4)),
            null);
    Tensor dy = normal(batch, tokens, channels);
    double activations = (double) batch * tokens * channels;
    double bytes = activations * Float.BYTES;
    double all = activations * states;
    if (!both) {
      return new Work(
          name("scan forward", s),
          4 * bytes,
          6 * all,
          all + 2 * activations,
          room -> {
            var out = room.selectiveScan().forward(in, false);
            return List.of(out.y(), out.last());
          });
    }
    return new Work(
        name("scan forward and backward", s),
        11 * bytes,
        6 * all + 21 * all,
        2 * all + 6 * activations,
        room -> {
          var out = room.selectiveScan().forward(in, true);
          var g = room.selectiveScan().backward(in, out.checkpoints(), dy, null);
          return List.of(
              out.y(), g.u(), g.delta(), g.a(), g.b(), g.c(), g.d(), g.z(), g.deltaBias());
        });
  }

  private static Work conv(long[] s) {
    var in = new CausalConv.Inputs(normal(s), normal(s[2], 4), normal(s[2]), null);
    Tensor dy = normal(s);
    return new Work(
        name("convolution forward and backward", s),
        5 * bytes(s),
        (8 + 24) * elements(s),
        2 * elements(s),
        room -> {
          var g = room.causalConv().backward(in, dy);
          Tensor bias = Objects.requireNonNull(g.bias());
          return List.<Tensor>of(room.causalConv().forward(in).y(), g.x(), g.weight(), bias);
        });
  }

  private static Work norm(long[] s) {
    Tensor x = normal(s), weight = normal(s[2]), dy = normal(s);
    return new Work(
        name("RMSNorm forward and backward", s),
        5 * bytes(s),
        15 * elements(s),
        0,
        room -> {
          var out = room.rmsNorm().forward(x, weight, 1e-5);
          var g = room.rmsNorm().backward(x, weight, out.scale(), dy);
          Tensor dWeight = Objects.requireNonNull(g.weight());
          return List.<Tensor>of(out.y(), g.x(), dWeight);
        });
  }

  private static Work gate(long[] s) {
    Tensor gate = normal(s), up = normal(s), dy = normal(s);
    return new Work(
        name("SwiGLU forward and backward", s),
        8 * bytes(s),
        15 * elements(s),
        2 * elements(s),
        room -> {
          var g = room.swiGlu().backward(gate, up, dy);
          return List.of(room.swiGlu().forward(gate, up), g.gate(), g.up());
        });
  }

  private static Work rotary(long[] s) {
    Tensor x = normal(s).view(s[0], s[1], s[2] / 64, 64), angle = normal(s[1], 32);
    Tensor cos = angle.cos(), sin = angle.sin();
    return new Work(
        name("rotary forward", s),
        2 * bytes(s),
        3 * elements(s),
        0,
        room -> List.of(room.rotary().forward(x, cos, sin)));
  }

  private static Work innovation(long[] s) {
    Tensor x = normal(s), predicted = normal(s), de = normal(s[0], s[1]);
    return new Work(
        name("innovation forward and backward", s),
        6 * bytes(s),
        20 * elements(s),
        0,
        room -> {
          var g = room.innovationScore().backward(x, predicted, de);
          return List.of(room.innovationScore().forward(x, predicted), g.x(), g.predicted());
        });
  }

  /**
   * In place, so that rooms take turns on the same tensors: the norm of the gradients is proved.
   */
  private static Work adamW(long[] s) {
    Tensor w = normal(s), g = normal(s), m = normal(s), v = normal(s).abs();
    List<AdamW.Slot> slots = List.of(new AdamW.Slot(w, null, g, m, v, 0.1));
    var settings = new AdamW.Settings(0, 0.9, 0.95, 1e-8, 100, 1);
    return new Work(
        name("AdamW step", s),
        8 * bytes(s), // 5 reads, of which the norm is one, and 3 writes
        15 * elements(s),
        0,
        room -> adamW(room, slots, settings));
  }

  private static List<Tensor> adamW(Kernels room, List<AdamW.Slot> slots, AdamW.Settings settings) {
    Tensor norm = room.adamW().gradientNorm(slots);
    room.adamW().step(slots, settings, norm);
    return List.of(norm);
  }

  private static double elements(long[] s) {
    return (double) s[0] * s[1] * s[2];
  }

  private static double bytes(long[] s) {
    return elements(s) * Float.BYTES;
  }

  private static Tensor normal(long... shape) {
    return torch.randn(shape);
  }
}
