package org.bmojo.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.bmojo.foreign.Architecture;
import org.bmojo.foreign.Architectures;
import org.bmojo.foreign.RandomConfigs;
import org.bmojo.foreign.Settings;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.RopeScaling;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.AttentionDetails;
import org.bmojo.mixer.DeltaHeads;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.FarPositions;
import org.bmojo.mixer.GatedDeltaNetConfig;
import org.bmojo.mixer.GatedKalmaNetConfig;
import org.bmojo.mixer.Mamba2Config;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.SsmConfig;
import org.bmojo.mixer.Threshold;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.BlockConfig.ExpertsConfig;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ObjectNode;

/** What we save, read and computed by tools/python/read_bmojo.py; needs python3 with numpy. */
class PythonReaderTest {
  private static final Path READER = Path.of("..", "tools", "python", "read_bmojo.py");
  private static final int VOCABULARY = 19;
  private static final int WIDTH = 16;

  @TempDir Path folder;

  static Stream<ModelConfig> models() {
    SsmConfig mamba = new MambaConfig(4, 3, 2, 2);
    Mamba2Config mamba2 =
        new Mamba2Config(
            4, 4, 6, 2, 2, 4, 4, true, true, 4, 1e-5, true, 0, 0, Double.POSITIVE_INFINITY);
    SsmConfig delta = new GatedDeltaNetConfig(DeltaHeads.of(4, 2, 4, 1e-5), true);
    SsmConfig kalma = GatedKalmaNetConfig.of(DeltaHeads.of(4, 2, 4, 1e-6));
    EideticConfig plain = EideticConfig.of(3, 2, Selection.INNOVATION);
    EideticConfig modulated =
        new EideticConfig(3, 4, Selection.FILTER, FarPositions.NONE, 0, true, null);
    EideticConfig running =
        new EideticConfig(
            4, 2, Selection.IMPORTANCE, FarPositions.ABSOLUTE, 0, false, new Threshold(null, 0.3));
    EideticConfig random =
        new EideticConfig(4, 3, Selection.RANDOM, FarPositions.FIXED, 0, false, null);
    EideticConfig inOrder =
        new EideticConfig(4, 2, Selection.CONTEXTUAL, FarPositions.ORDER, 0, false, null)
            .eligible(true);
    AttentionDetails own =
        new AttentionDetails(
            true, true, 1e-6, 0.3, new RopeScaling.Yarn(4, 8, 32, 1, true, null), true, true);
    return Stream.of(
        model(block(mamba, attention(3, 3, 4, plain)), block(mamba, null)),
        model(
            block(mamba, attention(3, 3, 4, EideticConfig.of(3, 2, Selection.CONTEXTUAL))),
            new BlockConfig(
                new MixerConfig(
                    mamba,
                    attention(
                        2, 2, 4, EideticConfig.of(4, 2, Selection.COMBINED).predictingFrom(true)),
                    true),
                24)),
        model(block(mamba, attention(3, 3, 4, inOrder)), block(mamba, null)),
        model(block(mamba2, attention(4, 4, 0, modulated)), block(mamba2, null)),
        model(block(delta, attention(3, 2, 4, running)), block(delta, null)),
        model(block(kalma, attention(2, 3, 0, random)), block(null, attention(null, 0, 0, null))),
        model(
            new BlockConfig(
                new MixerConfig(
                    mamba, new AttentionConfig(4, 2, 4, 3, 3, 0, true, false, 1e4, plain, own)),
                12,
                false,
                new ExpertsConfig(3, 2, true))),
        random("HybridQwen3ForCausalLM", 1),
        random("HybridLlamaForCausalLM", 2),
        random("HybridQwen2ForCausalLM", 3),
        random("JambaForCausalLM", 4),
        random("MixtralForCausalLM", 5),
        random("Mamba2ForCausalLM", 6));
  }

  private static ModelConfig random(String architecture, long seed) {
    Architecture a = Objects.requireNonNull(Architectures.named(architecture));
    ObjectNode config = RandomConfigs.of(architecture, seed).put("vocab_size", VOCABULARY);
    return a.read(new Settings(config, architecture)).model();
  }

  private static ModelConfig model(BlockConfig... blocks) {
    return new ModelConfig(VOCABULARY, WIDTH, 1e-5, true, List.of(blocks));
  }

  private static BlockConfig block(@Nullable SsmConfig ssm, @Nullable AttentionConfig attention) {
    return new BlockConfig(new MixerConfig(ssm, attention), 24);
  }

  private static AttentionConfig attention(
      @Nullable Integer window, int fading, int convolution, @Nullable EideticConfig eidetic) {
    return new AttentionConfig(4, 2, 4, window, fading, convolution, true, true, 1e4, eidetic);
  }

  @ParameterizedTest
  @MethodSource("models")
  void computesTheSameLogits(ModelConfig config) throws IOException, InterruptedException {
    String python = run("python3", "-c", "import numpy") == 0 ? "python3" : "/usr/bin/python3";
    assumeTrue(run(python, "-c", "import numpy") == 0, "python3 with numpy is not there");
    int[] ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2};
    Path model = folder.resolve("model"), out = folder.resolve("logits.npy");
    try (Scope scope = new Scope();
        LanguageModel made = LanguageModel.create(config, 4, ScalarType.Double)) {
      Checkpoint.save(model, made, null);
      String line = String.join(" ", Arrays.stream(ids).mapToObj(Integer::toString).toList());
      int status = run(python, READER.toString(), model.toString(), line, "--out", out.toString());
      assertThat(status).as(Files.readString(folder.resolve("python.txt"))).isZero();
      Tensor ours = made.logits(Ids.tensor(ids), null).reshape(-1);
      double[] theirs = doubles(out, ids.length * VOCABULARY);
      for (int i = 0; i < theirs.length; i++) {
        assertThat(ours.select(0, i).item_double())
            .as("logit %d of position %d", i % VOCABULARY, i / VOCABULARY)
            .isCloseTo(theirs[i], within(1e-9));
      }
    }
  }

  private int run(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(arguments));
    command.add(1, "-B"); // No compiled copies beside the source.
    try {
      return new ProcessBuilder(command)
          .redirectErrorStream(true)
          .redirectOutput(folder.resolve("python.txt").toFile())
          .start()
          .waitFor();
    } catch (IOException e) {
      return -1; // No python3 at all.
    }
  }

  /** The end of an .npy file: its elements, after a header of no interest. */
  private static double[] doubles(Path file, int count) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    double[] values = new double[count];
    ByteBuffer.wrap(bytes, bytes.length - 8 * count, 8 * count)
        .order(ByteOrder.LITTLE_ENDIAN)
        .asDoubleBuffer()
        .get(values);
    return values;
  }
}
