package org.bmojo.tape;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.tape.Tape.inputs;
import static org.bmojo.tape.Tape.keeping;

import java.util.Objects;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Gradients that meet, that are shared, and that are summed over passes; and what is freed. */
class AccumulationTest {
  private final Draw draw = new Draw(13);
  private final Scope scope = new Scope();
  private Tensor values = draw.normal(4, 3);
  private Parameter p = Parameter.decaying(values);

  @BeforeEach
  void fresh() {
    values = draw.normal(4, 3);
    p = Parameter.decaying(values);
  }

  @AfterEach
  void free() {
    p.close();
    scope.close();
  }

  @Test
  void aSharedGradientIsNotChangedThroughOneOfItsOwners() {
    try (Tape tape = Tape.recording()) {
      Var a = Var.leaf(draw.normal(3)), b = Var.leaf(draw.normal(3));
      Var sum = Ops.add(tape, a, b); // hands both the same tensor
      Var more = Ops.scale(tape, a, 5); // then a gets more of its own, twice
      Var most = Ops.scale(tape, a, 7);
      Var total = Ops.add(tape, Ops.add(tape, most, more), sum);
      tape.backward(total, 1);
      assertThat(numbers(a)).containsExactly(13, 13, 13);
      assertThat(numbers(b)).containsExactly(1, 1, 1);
    }
  }

  @Test
  void aViewOfAGradientSurvivesItsOwner() {
    try (Tape tape = Tape.recording()) {
      Var a = Var.leaf(draw.normal(4)), b = Var.leaf(draw.normal(2, 2));
      Var joint = Ops.add(tape, Ops.reshape(tape, a, 2, 2), b);
      Var total = Ops.add(tape, Ops.scale(tape, joint, 2), Ops.scale(tape, joint, 3));
      Var again = Ops.add(tape, total, b);
      tape.backward(again, 1);
      assertThat(numbers(a)).containsExactly(5, 5, 5, 5);
      assertThat(numbers(b)).containsExactly(6, 6, 6, 6);
    }
  }

  @Test
  void passesAddUpUntilCleared() {
    backward(2, 1);
    backward(3, 0.5);
    assertThat(numbers(p)).containsOnly(3.5);
    long buffer = gradient(p).data_ptr().address();
    p.clearGradient();
    assertThat(p.gradient()).isNull();
    backward(4, 1);
    assertThat(numbers(p)).containsOnly(4);
    assertThat(gradient(p).data_ptr().address()).as("the same buffer").isEqualTo(buffer);
  }

  @Test
  void rowsStartFromZerosOfTheirOwn() {
    backward(2, 1);
    p.clearGradient();
    p.addGradientProduct(1, ones(2, 1), ones(1, 3));
    assertThat(numbers(p)).containsExactly(0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0);
    backward(2, 1);
    p.addGradientProduct(3, ones(1, 2), ones(2, 3).div(scalar(2)));
    assertThat(numbers(p)).containsExactly(2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3);
  }

  @Test
  void aProductOfAllRowsReplacesWhatWasCleared() {
    backward(2, 1);
    p.clearGradient();
    p.addGradientProduct(0, ones(4, 5), ones(5, 3));
    assertThat(numbers(p)).containsOnly(5);
    p.addGradientProduct(0, ones(4, 1), ones(1, 3));
    assertThat(numbers(p)).containsOnly(6);
  }

  private Tensor ones(long... shape) {
    return torch.ones(shape).to(values.scalar_type());
  }

  @Test
  void extraLossesJoin() {
    try (Tape tape = Tape.recording()) {
      tape.addLoss(Ops.mean(tape, p));
      Var loss = Ops.mean(tape, Ops.scale(tape, p, 2));
      tape.backward(loss, 0.5);
      assertThat(tape.extraLosses()).isEmpty();
    }
    assertThat(numbers(p)).containsOnly(new double[] {0.5 / 12 + 1.0 / 12}, within(1e-15));
  }

  @Test
  void whatNeedsNoGradientIsNotNoted() {
    try (Tape tape = Tape.recording()) {
      Var constant = Ops.scale(tape, p.detached(), 2);
      assertThat(constant.needsGradient()).isFalse();
      Var mixed = Ops.add(tape, constant, p);
      tape.backward(mixed, 1);
      assertThat(constant.gradient()).isNull();
      assertThat(numbers(p)).containsOnly(1);
    }
    try (Tape off = Tape.off()) {
      assertThat(Ops.scale(off, p, 2).needsGradient()).isFalse();
    }
  }

  @Test
  void nothingIsLeftOfAPass() {
    Pass pass =
        () -> {
          try (Scope inner = new Scope();
              Tape tape = Tape.recording()) {
            tape.backward(network(tape), 1);
          }
        };
    assertFreed(pass);
  }

  @Test
  void nothingIsLeftOfAnAbandonedPass() {
    assertFreed(() -> {
      try (Scope inner = new Scope();
          Tape tape = Tape.recording()) {
        network(tape);
      }
    });
  }

  @Test
  void nothingIsLeftOfAPassThatFails() {
    assertFreed(() -> {
      try (Scope inner = new Scope();
          Tape tape = Tape.recording()) {
        Var before = Ops.scale(tape, p, 2);
        Var broken =
            tape.record(
                before.value().exp(),
                inputs(before),
                keeping(before.value()),
                dy -> {
                  throw new IllegalStateException("broken");
                });
        Var loss = Ops.mean(tape, broken);
        tape.addLoss(Ops.mean(tape, before));
        assertThatThrownBy(() -> tape.backward(loss, 1)).hasMessage("broken");
      }
    });
  }

  private interface Pass {
    void run();
  }

  /** Counts native objects, tensors and whatever else, before and after a hundred passes. */
  private void assertFreed(Pass pass) {
    for (int i = 0; i < 3; i++) pass.run();
    long before = Pointer.totalCount();
    for (int i = 0; i < 100; i++) pass.run();
    assertThat(Pointer.totalCount()).isLessThanOrEqualTo(before);
  }

  private Var network(Tape tape) {
    Var h = Ops.linear(tape, p, p, null); // (4, 4)
    Var bent = TorchFunction.apply(tape, t -> t[0].tanh().mul(t[1]), h, h);
    tape.addLoss(Ops.mean(tape, bent));
    try (Scope inner = new Scope()) {
      Var normed = KernelOps.rmsNorm(tape, Ops.columns(tape, bent, 1, 3), null, 1e-6);
      Var mean = Ops.mean(tape, Ops.add(tape, normed, normed));
      inner.keep(mean.value());
      return mean;
    }
  }

  private void backward(double factor, double scale) {
    try (Tape tape = Tape.recording()) {
      Var loss =
          tape.record(
              p.value().sum(),
              inputs(p),
              keeping(),
              dy -> p.addGradient(dy.mul(scalar(factor)).expand(4, 3)));
      tape.backward(loss, scale);
    }
  }

  private static Tensor gradient(Var v) {
    return Objects.requireNonNull(v.gradient());
  }

  private static double[] numbers(Var v) {
    Tensor flat = gradient(v).reshape(-1);
    double[] numbers = new double[(int) flat.numel()];
    for (int i = 0; i < numbers.length; i++) numbers[i] = flat.select(0, i).item_double();
    return numbers;
  }
}
