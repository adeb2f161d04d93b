package org.bmojo.tape;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.Objects;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A spared tensor has no memory between its last reader and the backward pass. */
class SpareTest {
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void memoryIsGivenBackAndTheGradientIsRight(boolean thrifty) {
    try (Scope scope = new Scope();
        Tape tape = Tape.recording()) {
      tape.thrifty(thrifty);
      Var x = Var.leaf(torch.arange(scalar(13.0)));
      Tensor in = x.value();
      Tensor made = in.exp();
      Var e =
          tape.record(made, Tape.inputs(x), Tape.keeping(made), dy -> x.addGradient(dy.mul(made)));
      Var sum =
          tape.record(
              made.sum(), Tape.inputs(e), Tape.keeping(), dy -> e.addGradient(dy.expand_as(made)));
      tape.spare(e, Tape.keeping(in), in::exp);

      assertThat(made.numel()).isEqualTo(thrifty ? 0 : 13);
      tape.backward(sum, 1);
      assertThat(Objects.requireNonNull(x.gradient()).equal(in.exp())).isTrue();
    }
  }
}
