package org.bmojo.foreign;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Objects;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.io.Json;
import org.bmojo.mixer.GatedKalmaNetConfig;

/** A tiny model and what its own library computes with it. */
record Fixture(String name, Path folder) {
  /** Every model there is. */
  static final String[] MODELS = {
    "mamba",
    "mamba2",
    "mistral_swa",
    "llama",
    "qwen3",
    "jamba",
    "hqwen3_m2",
    "hqwen3_gdn",
    "hqwen3_gka",
    "hqwen3_swa",
    "hqwen3_bmf_m2",
    "hqwen3_bmf_gdn",
    "hqwen3_bmf_gka",
    "hllama_bmf_m2"
  };

  static Fixture of(String name) {
    try {
      return new Fixture(
          name, Path.of(Objects.requireNonNull(Fixture.class.getResource(name), name).toURI()));
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  /** What its config.json means. */
  Architecture.Translation translation() {
    var config = Json.foreignTree(folder.resolve("config.json"));
    Architecture architecture = Architectures.named(Architectures.nameIn(config));
    return Objects.requireNonNull(architecture, name).read(new Settings(config, name));
  }

  Checkpoint open() {
    return Checkpoint.open(folder);
  }

  Safetensors golden() {
    return Safetensors.open(folder.resolve("golden.safetensors"));
  }

  Safetensors gradients() {
    return Safetensors.open(folder.resolve("grads"));
  }

  /** Of logits and hidden states. Thirty iterations of a solver amplify rounding. */
  double tolerance() {
    boolean solves =
        translation().model().layers().stream()
            .anyMatch(block -> block.mixer().ssm() instanceof GatedKalmaNetConfig);
    return solves ? 1e-4 : 2e-5;
  }
}
