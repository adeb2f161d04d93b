package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Batches that go on from one another are one long batch, but for gradients. */
class CarriedMemoryTest {
  private static final int ROWS = 2, LENGTH = 13, BATCHES = 5;

  static Stream<String> names() {
    return TinyModels.all().keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("names")
  void lossesAreThoseOfOneLongBatch(String name) {
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get(name));
    long[][] ids = ids(config.vocabulary());
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(config, 1, ScalarType.Double);
        CarriedMemory carried = new CarriedMemory(model, 0, 1)) {
      Tensor whole = model.losses(batch(ids, 0, BATCHES * LENGTH), null); // (B, 5 T)
      for (int n = 0; n < BATCHES; n++) {
        double expected = whole.narrow(1, (long) n * LENGTH, LENGTH).mean().item_double();
        assertThat(loss(carried, batch(ids, n * LENGTH, LENGTH)))
            .as("batch " + n)
            .isEqualTo(expected, within(1e-9));
      }
    }
  }

  /** With what is remembered held fixed, the gradient is the slope. */
  @ParameterizedTest
  @MethodSource("names")
  void gradientsAreSlopesWithMemoryFixed(String name) {
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get(name));
    long[][] ids = ids(config.vocabulary());
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(config, 2, ScalarType.Double);
        ModelState memory = model.newState(ROWS)) {
      model.losses(batch(ids, 0, 2 * LENGTH), memory);
      Batch next = batch(ids, 2 * LENGTH, LENGTH);
      double slope = 0;
      try (Tape tape = Tape.recording();
          ModelState state = memory.copy(0, 1)) {
        Var loss = model.loss(tape, next, state);
        tape.backward(loss, 1);
      }
      // Innovation's predictor has a loss of its own, and is left alone.
      var moved =
          model.parameters().entrySet().stream()
              .filter(e -> !e.getKey().contains("innovation"))
              .toList();
      for (var e : moved) {
        Tensor gradient = Objects.requireNonNull(e.getValue().gradient(), e.getKey());
        slope += gradient.mul(direction(e.getValue().value())).sum().item_double();
      }
      double h = 1e-7;
      double[] losses = new double[2];
      for (int side = 0; side < 2; side++) {
        double by = side == 0 ? h : -2 * h;
        for (var e : moved) {
          Tensor value = e.getValue().value();
          value.add_(direction(value).mul(scalar(by)));
        }
        try (ModelState state = memory.copy(0, 1)) {
          losses[side] = model.losses(next, state).mean().item_double();
        }
      }
      double measured = (losses[0] - losses[1]) / (2 * h);
      assertThat(slope).isEqualTo(measured, within(1e-6 * (1 + Math.abs(measured))));
    }
  }

  @Test
  void memoryIsEmptiedAsOftenAsAsked() {
    long[][] ids = ids(Models.mixed(63).vocabulary());
    try (Scope _ = new Scope();
        LanguageModel model = TinyModels.model(Models.mixed(63), 3, ScalarType.Double);
        CarriedMemory always = new CarriedMemory(model, 1, 1);
        CarriedMemory now = new CarriedMemory(model, 0.5, 7)) {
      int resets = 0;
      for (int n = 0; n < BATCHES; n++) {
        Batch batch = batch(ids, n * LENGTH, LENGTH);
        double fresh = model.losses(batch, null).mean().item_double();
        assertThat(loss(always, batch)).isEqualTo(fresh, within(1e-10));
        if (Math.abs(loss(now, batch) - fresh) < 1e-10) resets++;
      }
      assertThat(resets).isBetween(1, BATCHES - 1);
      assertThatThrownBy(() -> new CarriedMemory(model, 1.5, 1)).isInstanceOf(BadInput.class);
    }
  }

  /** In a scope of its own, as the training loop asks. */
  private static double loss(CarriedMemory carried, Batch batch) {
    try (Scope _ = new Scope();
        Tape tape = Tape.recording()) {
      Var loss = carried.loss(tape, batch);
      double value = loss.value().item_double();
      tape.backward(loss, 1);
      return value;
    }
  }

  /** As large as the weight, in no particular direction. */
  private static Tensor direction(Tensor value) {
    return value.sin().add(value.cos());
  }

  private static long[][] ids(int vocabulary) {
    long[][] ids = new long[ROWS][];
    for (int r = 0; r < ROWS; r++) {
      ids[r] = new SplittableRandom(r).longs(BATCHES * LENGTH + 1, 0, vocabulary).toArray();
    }
    return ids;
  }

  private static Batch batch(long[][] ids, int from, int length) {
    long[] in = new long[ROWS * length], out = new long[ROWS * length];
    for (int r = 0; r < ROWS; r++) {
      System.arraycopy(ids[r], from, in, r * length, length);
      System.arraycopy(ids[r], from + 1, out, r * length, length);
    }
    return Batch.of(in, out, ROWS);
  }
}
