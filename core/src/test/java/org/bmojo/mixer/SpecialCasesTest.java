package org.bmojo.mixer;

import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.LinkedHashMap;
import java.util.Map;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One layer, parts switched off: pairs of configurations that must be the same function of the same
 * weights, and each of them {@link Dense}'s.
 */
class SpecialCasesTest {
  private static final int WIDTH = 6, TOKENS = 37;
  private static final SsmConfig MAMBA = new MambaConfig(3, 4, 2, 0);

  private static AttentionConfig attention(
      @Nullable Integer window, int fading, @Nullable EideticConfig eidetic) {
    return new AttentionConfig(4, 2, 4, window, fading, 4, true, true, 10_000, eidetic);
  }

  @Test
  void selectionNoneIsNoEideticMemory() {
    same(
        new MixerConfig(MAMBA, attention(5, 4, EideticConfig.of(6, 3, Selection.NONE))),
        new MixerConfig(MAMBA, attention(5, 4, null)));
  }

  @ParameterizedTest
  @EnumSource(names = {"INNOVATION", "IMPORTANCE", "CONTEXTUAL", "COMBINED", "FILTER", "RANDOM"})
  void aBarThatNothingPassesIsNoEideticMemory(Selection selection) {
    EideticConfig none =
        new EideticConfig(6, 3, selection, FarPositions.FIXED, 0, false, new Threshold(1e9, null));
    same(
        new MixerConfig(MAMBA, attention(5, 4, none)),
        new MixerConfig(MAMBA, attention(5, 4, null)));
  }

  @Test
  void withoutFadingAndEideticMemoryItIsASlidingWindow() {
    same(
        new MixerConfig(MAMBA, attention(5, 0, null)),
        new MixerConfig(null, attention(5, 0, null)));
  }

  @Test
  void aWindowOverAllIsFullAttention() {
    same(
        new MixerConfig(null, attention(TOKENS, 0, null)),
        new MixerConfig(null, attention(null, 0, null)));
  }

  @Test
  void aWindowOverAllLeavesNothingToTheOtherMemories() {
    same(
        new MixerConfig(MAMBA, attention(TOKENS, 4, EideticConfig.of(6, 3, Selection.INNOVATION))),
        new MixerConfig(null, attention(null, 0, null)));
  }

  @Test
  void withoutAttentionItIsMamba() {
    MixerConfig config = new MixerConfig(MAMBA, null);
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      LayerCase c = new LayerCase(config, WIDTH, 2, TOKENS, 3);
      BMojo layer = c.layer(ScalarType.Double);
      Mamba mamba = new Mamba((MambaConfig) MAMBA, WIDTH, new Initializer(0, ScalarType.Double));
      Map<String, Parameter> from = Names.of(layer);
      Names.of(mamba).forEach((name, p) -> p.value().copy_(value(from, "ssm." + name)));
      Tensor x = c.input(ScalarType.Double, TOKENS);
      Tensor alone = mamba.forward(tape, Var.constant(x), null).value();
      assertWithin("mamba", everyForm(c, layer, x), alone, 1e-12);
    }
  }

  /** Both layers with the first one's weights. */
  private static void same(MixerConfig one, MixerConfig other) {
    try (Scope scope = new Scope()) {
      LayerCase c = new LayerCase(one, WIDTH, 2, TOKENS, 4);
      LayerCase d = new LayerCase(other, WIDTH, 2, TOKENS, 5);
      BMojo first = c.layer(ScalarType.Double), second = d.layer(ScalarType.Double);
      Map<String, Parameter> from = Names.of(first);
      Names.of(second).forEach((name, p) -> p.value().copy_(value(from, name)));
      Tensor x = c.input(ScalarType.Double, TOKENS);
      assertWithin(one + " is " + other, everyForm(c, first, x), everyForm(d, second, x), 1e-12);
    }
  }

  private static Tensor value(Map<String, Parameter> parameters, String name) {
    Parameter p = parameters.get(name);
    if (p == null) throw new IllegalStateException("no " + name + " among " + parameters.keySet());
    return p.value();
  }

  /** The output, after all forms and the independent computation have agreed on it. */
  private static Tensor everyForm(LayerCase c, BMojo layer, Tensor x) {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    Names.of(layer).forEach((name, p) -> weights.put(name, p.value()));
    Tensor wanted = Dense.of(c.config(), weights, x).output();
    try (Tape tape = Tape.off();
        Reader chunked = new Reader(layer, 2);
        Reader step = new Reader(layer, 2)) {
      Tensor parallel = layer.forward(tape, Var.constant(x), null).value();
      assertWithin("parallel", parallel, wanted, 1e-12);
      assertWithin("chunked", chunked.read(x, 3, 1, 20, 5, 8), wanted, 1e-12);
      assertWithin("step", step.read(x, new int[TOKENS]), wanted, 1e-12);
      return parallel;
    }
  }
}
