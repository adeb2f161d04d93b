package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;

import java.util.ArrayList;
import java.util.List;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * All parameters in one sweep: the slots are cut into equal parts, which the cores take up whatever
 * parameter they belong to; each part is read and written once.
 */
public final class CpuAdamW implements AdamW {
  /** Elements of a task: a few hundred kilobytes of traffic. */
  private static final int GRAIN = 1 << 14;

  /** A slot's memory from element {@code from} up to {@code to}. */
  private record Part(
      Floats weight,
      Floats gradient,
      Floats first,
      Floats second,
      double decay,
      long from,
      long to) {}

  @Override
  public Tensor gradientNorm(List<Slot> slots) {
    double sum = 0;
    for (Slot slot : slots) {
      try (Scope scope = new Scope()) {
        sum += squares(Floats.of(slot.gradient()));
      }
    }
    try (Scope scope = new Scope()) {
      return scope.keep(Tensors.of(new double[] {Math.sqrt(sum)}).squeeze());
    }
  }

  private static double squares(Floats gradient) {
    long count = gradient.owner().numel();
    double[] parts = new double[Math.toIntExact((count + GRAIN - 1) / GRAIN)];
    Cores.forRanges(
        count, GRAIN, (from, to) -> parts[(int) (from / GRAIN)] = squares(gradient, from, to));
    double sum = 0;
    for (double part : parts) sum += part;
    return sum;
  }

  /** In float64, as the sum of a gradient's million squares deserves. */
  private static double squares(Floats gradient, long from, long to) {
    DoubleVector low = DoubleVector.zero(DoubleVector.SPECIES_PREFERRED), high = low;
    for (long i = from; i < to; i += LANES) {
      FloatVector g = load(gradient, i, (int) (to - i));
      var a = (DoubleVector) g.convertShape(VectorOperators.F2D, low.species(), 0);
      var b = (DoubleVector) g.convertShape(VectorOperators.F2D, low.species(), 1);
      low = a.fma(a, low);
      high = b.fma(b, high);
    }
    double[] lanes = low.add(high).toArray();
    double sum = 0;
    for (double lane : lanes) sum += lane;
    return sum;
  }

  @Override
  public void step(List<Slot> slots, Settings settings, Tensor norm) {
    double joint = norm.item_double();
    if (!Double.isFinite(joint)) return;
    float scale = (float) settings.gradientScale(joint);
    try (Scope scope = new Scope()) {
      List<Part> parts = new ArrayList<>();
      for (Slot slot : slots) cut(slot, parts);
      Cores.forEach(parts.size(), k -> step(parts.get(k), settings, scale));
      for (Slot slot : slots) {
        if (slot.copy() != null) slot.copy().copy_(slot.weight());
      }
    }
  }

  private static void cut(Slot slot, List<Part> parts) {
    Floats weight = inPlace("weight", slot.weight()), gradient = Floats.of(slot.gradient());
    Floats first = inPlace("first moment", slot.first());
    Floats second = inPlace("second moment", slot.second());
    long count = slot.weight().numel();
    for (long from = 0; from < count; from += GRAIN) {
      long to = Math.min(count, from + GRAIN);
      parts.add(new Part(weight, gradient, first, second, slot.decay(), from, to));
    }
  }

  private static Floats inPlace(String name, Tensor t) {
    if (t.scalar_type().intern() == ScalarType.Float && t.is_contiguous()) return Floats.of(t);
    throw new BadInput(
        "AdamW: "
            + name
            + " is of type "
            + t.scalar_type().intern()
            + (t.is_contiguous() ? "" : " and not contiguous"),
        "expected contiguous float32, which is updated in place",
        "keep float32 master weights and moments");
  }

  private static void step(Part p, Settings s, float scale) {
    float beta1 = (float) s.beta1(), rest1 = (float) (1 - s.beta1());
    float beta2 = (float) s.beta2(), rest2 = (float) (1 - s.beta2());
    float mean = (float) (1 / (1 - Math.pow(s.beta1(), s.step())));
    float square = (float) (1 / (1 - Math.pow(s.beta2(), s.step())));
    float rate = (float) -s.learningRate();
    float shrink = (float) (1 - s.learningRate() * p.decay()), eps = (float) s.eps();
    for (long i = p.from(); i < p.to(); i += LANES) {
      int rest = (int) (p.to() - i);
      FloatVector g = load(p.gradient(), i, rest).mul(scale);
      FloatVector m = load(p.first(), i, rest).mul(beta1).add(g.mul(rest1));
      FloatVector v = load(p.second(), i, rest).mul(beta2).add(g.mul(g).mul(rest2));
      store(m, p.first(), i, rest);
      store(v, p.second(), i, rest);
      FloatVector change = m.mul(mean).div(v.mul(square).sqrt().add(eps));
      FloatVector w = load(p.weight(), i, rest).mul(shrink);
      store(change.fma(all(rate), w), p.weight(), i, rest);
    }
  }
}
