package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.io.Json;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** B'MOJO-F's attention alone, given the state's outputs, at lengths around W and 2W. */
class FadingAttentionFixtureTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "bmojo_attention_tied_norm",
        "bmojo_attention_untied_norm",
        "bmojo_attention_tied_nonorm"
      })
  void outputsAndGradients(String name) throws URISyntaxException {
    Path folder =
        Path.of(
            Objects.requireNonNull(getClass().getResource("/org/bmojo/foreign/" + name)).toURI());
    JsonNode meta = Json.foreignTree(folder.resolve("meta.json"));
    AttentionConfig config = config(meta);
    int width = meta.path("hidden_size").intValue();
    try (Scope scope = new Scope();
        Safetensors golden = Safetensors.open(folder.resolve("golden.safetensors"))) {
      for (JsonNode each : meta.path("cases")) {
        String prefix = "L" + each.path("length").intValue() + ".";
        try (Tape tape = Tape.recording()) {
          Projections p = new Projections(config, width, new Initializer(0, ScalarType.Float));
          Map<String, Parameter> parameters = Names.of(p);
          parameters.forEach((n, w) -> golden.copyInto("weights." + theirs(n), w.value()));
          Var x = Var.leaf(golden.tensor(prefix + "hidden_states"));
          Var y = Var.leaf(golden.tensor(prefix + "ssm_out"));
          Var out = BMojo.attendGiven(tape, p, x, y);
          close(name, prefix + "output", out.value(), golden.tensor(prefix + "output"), 2e-5);
          Var loss =
              TorchFunction.apply(
                  tape, t -> t[0].mul(golden.tensor(prefix + "grad_output")).sum(), out);
          tape.backward(loss, 1);
          parameters.forEach((n, w) -> {
            String gradient = prefix + "grad." + theirs(n);
            Tensor own = w.gradient();
            if (own == null) {
              // Up to W tokens nothing is read of the state; its own matrices get nothing.
              assertThat(theirs(n)).as("no gradient").endsWith("_.weight");
              return;
            }
            relative(name, gradient, own, golden);
          });
          relative(name, prefix + "grad.hidden_states", gradient(x), golden);
          Tensor ofState = y.gradient();
          if (ofState != null) relative(name, prefix + "grad.ssm_out", ofState, golden);
        }
      }
    }
  }

  private static Tensor gradient(Var v) {
    return Objects.requireNonNull(v.gradient());
  }

  private static void relative(String name, String what, Tensor actual, Safetensors golden) {
    Tensor wanted = golden.tensor(what);
    double scale = Math.max(1e-6, wanted.abs().max().item_double());
    close(name, what, actual, wanted, 1e-4 * scale);
  }

  private static void close(
      String name, String what, Tensor actual, Tensor wanted, double tolerance) {
    double worst = actual.sub(wanted).abs().max().item_double();
    assertThat(worst).as("%s, %s", name, what).isLessThanOrEqualTo(tolerance);
  }

  /** fading_q_proj is q_proj_ there. */
  private static String theirs(String name) {
    return name.startsWith("fading_")
        ? name.substring("fading_".length()).replace(".weight", "_.weight")
        : name;
  }

  private static AttentionConfig config(JsonNode meta) {
    int window = meta.path("window_size").intValue();
    boolean tied = meta.path("tie_attn_weights").booleanValue();
    return new AttentionConfig(
        meta.path("num_attention_heads").intValue(),
        meta.path("num_key_value_heads").intValue(),
        meta.path("head_dim").intValue(),
        window,
        window,
        0,
        meta.path("qk_norm").booleanValue(),
        tied,
        meta.path("rope_theta").doubleValue(),
        null,
        new AttentionDetails(
            false,
            false,
            meta.path("rms_norm_eps").doubleValue(),
            meta.path("softmax_scale").doubleValue(),
            null,
            !tied,
            true));
  }
}
