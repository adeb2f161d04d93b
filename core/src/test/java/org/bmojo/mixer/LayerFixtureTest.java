package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.bmojo.checkpoint.LayerFile;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The complete layer against an independent program, in float64: every form, and the sets. */
class LayerFixtureTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "bmojo_innovation",
        "bmojo_innovation_modulated",
        "bmojo_importance",
        "bmojo_no_fading",
        "bmojo_fading_only",
        "bmojo_short",
        "bmojo_wide_memory"
      })
  void everyFormMatches(String name) throws URISyntaxException {
    Path folder = Path.of(Objects.requireNonNull(getClass().getResource(name)).toURI());
    Path golden = folder.resolve("golden.safetensors");
    try (Scope scope = new Scope();
        Safetensors file = Safetensors.open(golden)) {
      Map<String, Tensor> results = LayerFile.run(golden, folder.resolve("meta.json"));
      for (String form : new String[] {"parallel", "chunked", "step"}) {
        Tensor output = Objects.requireNonNull(results.get("output." + form));
        double worst = output.sub(file.tensor("output")).abs().max().item_double();
        assertThat(worst).as("%s, output, %s", name, form).isLessThan(1e-10);
        Tensor expected = file.tensor("eidetic_sets");
        Tensor sets = Objects.requireNonNull(results.get("eidetic_sets." + form));
        assertThat(sets.numel()).isEqualTo(expected.numel());
        if (expected.numel() > 0) {
          assertThat(sets.equal(expected)).as("%s, sets, %s", name, form).isTrue();
        }
      }
    }
  }
}
