package org.bmojo.kernels.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Close.assertNoWorse;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.op.AdamW.Settings;
import org.bmojo.kernels.op.AdamW.Slot;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

/** What every room's AdamW must do; weights and moments are float32, or float64 where served. */
abstract class AdamWContract {
  private static final long[][] SHAPES = {{1}, {13}, {63, 5}, {207, 333}, {16, 2, 8}};

  abstract Room room();

  @Test
  void stepsAreTheFormula() {
    for (ScalarType type : types()) {
      try (Scope scope = new Scope()) {
        List<Slot> mine = slots(type), peer = slots(type);
        for (int step = 1; step <= 4; step++) {
          Settings settings = new Settings(3e-3, 0.9, 0.95, 1e-8, step, 0.7);
          op().step(mine, settings);
          Kernels.REFERENCE.adamW().step(peer, settings);
        }
        for (int i = 0; i < SHAPES.length; i++) {
          Tensor[] wanted = formula(slots(type).get(i), 4);
          assertClose("weight", mine.get(i).weight(), wanted[0], 16);
          assertClose("first", mine.get(i).first(), wanted[1], 16);
          assertClose("second", mine.get(i).second(), wanted[2], 16);
          assertNoWorse("weight", mine.get(i).weight(), peer.get(i).weight(), wanted[0]);
          assertSame("gradient afterwards", mine.get(i).gradient(), slots(type).get(i).gradient());
        }
      }
    }
  }

  @Test
  void repeatsItself() {
    for (ScalarType type : types()) {
      try (Scope scope = new Scope()) {
        List<Slot> once = slots(type), twice = slots(type);
        Settings settings = new Settings(1e-3, 0.9, 0.999, 1e-8, 7, 1);
        op().step(once, settings);
        op().step(twice, settings);
        for (int i = 0; i < SHAPES.length; i++) {
          assertSame("weight", twice.get(i).weight(), once.get(i).weight());
        }
        assertThat(op().gradientNorm(twice)).isEqualTo(op().gradientNorm(once));
      }
    }
  }

  @Test
  void normIsOverAllGradients() {
    for (ScalarType type : types()) {
      try (Scope scope = new Scope()) {
        List<Slot> slots = slots(type);
        double squares = 0;
        for (Slot slot : slots) {
          squares += slot.gradient().to(ScalarType.Double).square().sum().item_double();
        }
        double norm = Math.sqrt(squares);
        assertThat(op().gradientNorm(slots)).isCloseTo(norm, within(1e-12 * norm));
      }
    }
    assertThat(op().gradientNorm(List.of())).isZero();
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
    Draw draw = room().draw(5, type);
    List<Slot> slots = new ArrayList<>();
    for (int i = 0; i < SHAPES.length; i++) {
      Tensor weight = draw.normal(SHAPES[i]), gradient = draw.normal(SHAPES[i]);
      Tensor first = draw.normal(SHAPES[i]), second = draw.uniform(0.1, 2, SHAPES[i]);
      slots.add(new Slot(weight, gradient, first, second, i % 2 == 0 ? 0.1 : 0));
    }
    return slots;
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
