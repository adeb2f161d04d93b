package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.Map;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Names;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Twin;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever the state space, the layer around it is one function in three forms. */
class OtherStateSpacesTest {
  private static final int WIDTH = 8, TOKENS = 31;

  static Stream<SsmConfig> stateSpaces() {
    DeltaHeads heads = DeltaHeads.of(2, 1, 4, 1e-5);
    return Stream.of(
        new MambaConfig(3, 4, 2, 0),
        new Mamba2Config(
            4, 4, 6, 4, 2, 2, 4, true, false, 2, 1e-5, false, 0, 0, Double.POSITIVE_INFINITY),
        new GatedDeltaNetConfig(heads, true),
        // Iterated until it has converged: before, its gradient is the implicit one, not the slope.
        new GatedKalmaNetConfig(heads, 120, 0.02, true, true, true, true, true, true));
  }

  private static LayerCase layer(SsmConfig ssm) {
    EideticConfig eidetic =
        new EideticConfig(4, 3, Selection.INNOVATION, FarPositions.FIXED, 0, true, null);
    AttentionConfig attention = new AttentionConfig(4, 2, 4, 5, 4, 4, true, true, 10_000, eidetic);
    return new LayerCase(new MixerConfig(ssm, attention), WIDTH, 2, TOKENS, 8);
  }

  @ParameterizedTest
  @MethodSource("stateSpaces")
  void allFormsAgree(SsmConfig ssm) {
    LayerCase c = layer(ssm);
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      BMojo layer = c.layer(ScalarType.Double);
      Tensor x = c.input(ScalarType.Double, TOKENS);
      Tensor parallel = layer.forward(tape, Var.constant(x), null).value();
      try (Reader whole = new Reader(layer, 2);
          Reader chunked = new Reader(layer, 2);
          Reader step = new Reader(layer, 2)) {
        assertWithin("one call", whole.read(x, TOKENS), parallel, 1e-10);
        assertWithin("chunks", chunked.read(x, 1, 6, 2, 17, 5), parallel, 1e-10);
        assertWithin("steps", step.read(x, new int[TOKENS]), parallel, 1e-10);
        for (int b = 0; b < 2; b++) {
          assertThat(chunked.sets(b)).usingRecursiveComparison().isEqualTo(whole.sets(b));
          assertThat(step.sets(b)).usingRecursiveComparison().isEqualTo(whole.sets(b));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("stateSpaces")
  void everyNamedGradientIsTheSlope(SsmConfig ssm) {
    LayerCase c = layer(ssm);
    try (Scope scope = new Scope()) {
      BMojo layer = c.layer(ScalarType.Double);
      Tensor x = c.input(ScalarType.Double, TOKENS);
      Tensor dy = new Draw(6).normal(2, TOKENS, WIDTH);
      try (Tape tape = Tape.recording()) {
        Var out = layer.forward(tape, Var.constant(x), null);
        tape.backward(Twin.weighted(tape, out, dy), 1);
      }
      Map<String, Parameter> parameters = Names.of(layer);
      parameters.forEach((name, p) -> LayerGradientTest.assertSlope(c, layer, name, p, x, dy));
    }
  }

  @Test
  void inputsOfAnotherBatchThanTheStateAreRefused() {
    LayerCase c = layer(new MambaConfig(3, 4, 2, 0));
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      BMojo layer = c.layer(ScalarType.Double);
      Tensor x = c.input(ScalarType.Double, 3);
      try (MixerState state = layer.newState(3)) {
        assertThatThrownBy(() -> layer.forward(tape, Var.constant(x), state))
            .isInstanceOf(BadInput.class)
            .hasMessageContaining("[2, 3, 8]");
        assertThatThrownBy(() -> layer.step(x.narrow(1, 0, 1), state)).isInstanceOf(BadInput.class);
        assertThat(state.position()).isZero();
      }
      try (MixerState state = layer.newState(2)) {
        assertThatThrownBy(() -> layer.step(x, state)).isInstanceOf(BadInput.class);
        assertThatThrownBy(() -> layer.forward(tape, Var.constant(x.narrow(1, 0, 0)), state))
            .isInstanceOf(BadInput.class);
      }
    }
  }
}
