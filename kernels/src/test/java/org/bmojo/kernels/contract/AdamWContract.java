package org.bmojo.kernels.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Close.assertNoWorse;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.op.AdamW.Settings;
import org.bmojo.kernels.op.AdamW.Slot;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

/** What every room's AdamW must do; weights and moments are float32, or float64 where served. */
abstract class AdamWContract {
  private static final long[][] SHAPES = {{1}, {13}, {63, 5}, {207, 333}, {16, 2, 8}};

  private static final int THREADS = 4;

  abstract Room room();

  @Test
  void stepsAreTheFormula() {
    for (ScalarType type : types()) stepsAreTheFormula(type, type);
    stepsAreTheFormula(ScalarType.Float, ScalarType.BFloat16);
  }

  private void stepsAreTheFormula(ScalarType type, ScalarType gradient) {
    try (Scope scope = new Scope()) {
      List<Slot> mine = slots(type, gradient), peer = slots(type, gradient);
      Tensor norm = op().gradientNorm(mine);
      double clip = 0.7 * norm.item_double();
      for (int step = 1; step <= 4; step++) {
        Settings settings = new Settings(3e-3, 0.9, 0.95, 1e-8, step, clip);
        op().step(mine, settings, norm);
        Kernels.REFERENCE.adamW().step(peer, settings, norm);
      }
      for (int i = 0; i < SHAPES.length; i++) {
        Slot slot = mine.get(i), before = slots(type, gradient).get(i);
        Tensor[] wanted = formula(before, 4);
        assertClose("weight", slot.weight(), wanted[0], 16);
        assertClose("first", slot.first(), wanted[1], 16);
        assertClose("second", slot.second(), wanted[2], 16);
        assertNoWorse("weight", slot.weight(), peer.get(i).weight(), wanted[0]);
        assertSame("gradient afterwards", slot.gradient(), before.gradient());
        if (slot.copy() != null) {
          assertSame("copy", slot.copy(), slot.weight().to(ScalarType.BFloat16));
        }
      }
    }
  }

  /** A recorded step reads them there when it runs again. */
  @Test
  void numbersMayLieWhereTheSlotsAre() {
    try (Scope scope = new Scope()) {
      List<Slot> here = slots(ScalarType.Float), there = slots(ScalarType.Float);
      Tensor norm = op().gradientNorm(here);
      Settings settings = new Settings(3e-3, 0.9, 0.95, 1e-8, 7, 1);
      Settings blank = new Settings(0, 0.9, 0.95, 1e-8, 1, 1);
      Tensor varying = Tensors.of(settings.varying()).to(norm.device(), ScalarType.Double);
      op().step(here, settings, norm);
      op().step(there, blank, norm, varying);
      for (int i = 0; i < SHAPES.length; i++) {
        assertSame("weight", there.get(i).weight(), here.get(i).weight());
        assertSame("copy", copy(there.get(i)), copy(here.get(i)));
      }
    }
  }

  @Test
  void clipsOnlyLongGradients() {
    try (Scope scope = new Scope()) {
      List<Slot> under = slots(ScalarType.Float), without = slots(ScalarType.Float);
      Tensor norm = op().gradientNorm(under);
      double clip = 1.001 * norm.item_double();
      op().step(under, new Settings(1e-3, 0.9, 0.999, 1e-8, 1, clip), norm);
      op().step(without, new Settings(1e-3, 0.9, 0.999, 1e-8, 1, 0), norm);
      for (int i = 0; i < SHAPES.length; i++) {
        assertSame("weight", under.get(i).weight(), without.get(i).weight());
      }
    }
  }

  @Test
  void writesNothingWhereTheNormIsNotFinite() {
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      try (Scope scope = new Scope()) {
        List<Slot> slots = slots(ScalarType.Float), before = slots(ScalarType.Float);
        slots.get(3).gradient().view(-1).narrow(0, 77, 1).fill_(scalar(bad));
        Tensor norm = op().gradientNorm(slots);
        assertThat(norm.item_double()).isNotFinite();
        op().step(slots, new Settings(1e-3, 0.9, 0.999, 1e-8, 1, 1), norm);
        for (int i = 0; i < SHAPES.length; i++) {
          assertSame("weight", slots.get(i).weight(), before.get(i).weight());
          assertSame("copy", copy(slots.get(i)), copy(before.get(i)));
          assertSame("first", slots.get(i).first(), before.get(i).first());
          assertSame("second", slots.get(i).second(), before.get(i).second());
        }
      }
    }
  }

  /** Rooms may remember a list that cannot change, and must not mistake another for it. */
  @Test
  void listsComeAgain() {
    try (Scope scope = new Scope()) {
      List<Slot> first = List.copyOf(slots(ScalarType.Float));
      List<Slot> second = List.copyOf(slots(ScalarType.Float).subList(0, 3));
      Settings settings = new Settings(1e-3, 0.9, 0.999, 1e-8, 1, 1);
      double all = op().gradientNorm(first).item_double();
      double some = op().gradientNorm(second).item_double();
      assertThat(some).isLessThan(all);
      assertThat(op().gradientNorm(first).item_double()).isEqualTo(all);
      first.get(1).gradient().mul_(scalar(2));
      assertThat(op().gradientNorm(first).item_double()).isGreaterThan(all);
      op().step(second, settings, op().gradientNorm(second));
      List<Slot> before = slots(ScalarType.Float);
      assertThat(second.get(2).weight().equal(before.get(2).weight())).isFalse();
      assertSame("weight", first.get(2).weight(), before.get(2).weight());
    }
  }

  /** As many models train at once, each on a thread of its own. */
  @Test
  void threadsDoNotDisturbEachOther() throws Exception {
    try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
      List<Future<Double>> sums = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) sums.add(threads.submit(this::weightsAfterSteps));
      double alone = weightsAfterSteps();
      for (Future<Double> sum : sums) assertThat(sum.get()).isEqualTo(alone);
    }
  }

  private double weightsAfterSteps() {
    try (Scope scope = new Scope()) {
      List<Slot> slots = List.copyOf(slots(ScalarType.Float));
      for (int step = 1; step <= 60; step++) {
        try (Scope _ = new Scope()) {
          Tensor norm = op().gradientNorm(slots);
          op().step(slots, new Settings(1e-3, 0.9, 0.999, 1e-8, step, 1), norm);
        }
      }
      return slots.get(3).weight().sum().item_double();
    }
  }

  @Test
  void repeatsItself() {
    for (ScalarType type : types()) {
      try (Scope scope = new Scope()) {
        List<Slot> once = slots(type), twice = slots(type);
        Settings settings = new Settings(1e-3, 0.9, 0.999, 1e-8, 7, 1);
        Tensor norm = op().gradientNorm(once);
        assertSame("norm", op().gradientNorm(twice), norm);
        op().step(once, settings, norm);
        op().step(twice, settings, norm);
        for (int i = 0; i < SHAPES.length; i++) {
          assertSame("weight", twice.get(i).weight(), once.get(i).weight());
        }
      }
    }
  }

  @Test
  void normIsOverAllGradients() {
    for (ScalarType type : types()) {
      for (ScalarType gradient : List.of(type, ScalarType.BFloat16)) {
        try (Scope scope = new Scope()) {
          List<Slot> slots = slots(type, gradient);
          double squares = 0;
          for (Slot slot : slots) {
            squares += slot.gradient().to(ScalarType.Double).square().sum().item_double();
          }
          double norm = Math.sqrt(squares);
          Tensor ours = op().gradientNorm(slots);
          assertThat(Shapes.of(ours)).isEmpty();
          assertThat(ours.scalar_type().intern()).isEqualTo(ScalarType.Double);
          assertThat(ours.device().equals(slots.getFirst().weight().device())).isTrue();
          assertThat(ours.item_double()).isCloseTo(norm, within(1e-12 * norm));
        }
      }
    }
    assertThat(op().gradientNorm(List.of()).item_double()).isZero();
  }

  private AdamW op() {
    return room().kernels().adamW();
  }

  private List<ScalarType> types() {
    return room().types().stream()
        .filter(type -> type == ScalarType.Float || type == ScalarType.Double)
        .toList();
  }

  private List<Slot> slots(ScalarType type) {
    return slots(type, type);
  }

  /** Every parameter but the first with a copy. */
  private List<Slot> slots(ScalarType type, ScalarType gradients) {
    Draw draw = room().draw(5, type);
    List<Slot> slots = new ArrayList<>();
    for (int i = 0; i < SHAPES.length; i++) {
      Tensor weight = draw.normal(SHAPES[i]), gradient = draw.normal(SHAPES[i]).to(gradients);
      Tensor first = draw.normal(SHAPES[i]), second = draw.uniform(0.1, 2, SHAPES[i]);
      Tensor copy = weight.to(ScalarType.BFloat16);
      double decay = i % 2 == 0 ? 0.1 : 0;
      slots.add(new Slot(weight, i == 0 ? null : copy, gradient, first, second, decay));
    }
    return slots;
  }

  private static Tensor copy(Slot slot) {
    return slot.copy() == null ? slot.weight() : slot.copy();
  }

  /** Weight and moments after so many steps in float64, by the paper's algorithm 2. */
  private static Tensor[] formula(Slot slot, int steps) {
    Tensor w = wide(slot.weight()), m = wide(slot.first()), v = wide(slot.second());
    Tensor g = times(wide(slot.gradient()), 0.7);
    for (int step = 1; step <= steps; step++) {
      m = times(m, 0.9).add(times(g, 1 - 0.9));
      v = times(v, 0.95).add(times(g.square(), 1 - 0.95));
      Tensor mHat = times(m, 1 / (1 - Math.pow(0.9, step)));
      Tensor vHat = times(v, 1 / (1 - Math.pow(0.95, step)));
      Tensor root = vHat.sqrt().add(torch.full_like(v, scalar(1e-8)));
      w = w.sub(times(mHat.div(root).add(times(w, slot.decay())), 3e-3));
    }
    return new Tensor[] {w, m, v};
  }

  private static Tensor wide(Tensor t) {
    return t.to(new Device("cpu"), ScalarType.Double);
  }

  private static Tensor times(Tensor t, double factor) {
    return t.mul(scalar(factor));
  }
}
