package org.bmojo.checkpoint;

import static org.bmojo.kernels.torch.Tensors.cat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.bmojo.io.Json;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.BMojo;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.MixerState;
import org.bmojo.mixer.Selection;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * One layer and its input in a file, for comparison with other implementations: tensor {@code x}
 * (T, d), weights under {@code w.}, sizes in a JSON beside it. Runs the layer in each of its three
 * forms.
 */
public final class LayerFile {
  /** The JSON's keys; seed, type and the like are notes of whoever made the file. */
  private record Sizes(
      int d,
      int H,
      int G,
      int D,
      int N,
      int W,
      int F,
      int E,
      int C,
      int T,
      boolean conv,
      boolean qk_norm,
      String selection,
      boolean modulated,
      long seed,
      String dtype,
      double rms_eps,
      double rope_base) {
    MixerConfig config(int stepRank, int predictorRank) {
      EideticConfig plain = EideticConfig.of(Math.max(1, E), C, Selection.INNOVATION);
      EideticConfig eidetic =
          new EideticConfig(
              plain.capacity(),
              C,
              Selection.valueOf(selection.toUpperCase(Locale.ROOT)),
              plain.positions(),
              predictorRank,
              modulated,
              null);
      return new MixerConfig(
          new MambaConfig(N, 4, 2, stepRank),
          new AttentionConfig(
              H, G, D, W, F, conv ? 4 : 0, qk_norm, true, rope_base, E == 0 ? null : eidetic));
    }
  }

  private LayerFile() {}

  /**
   * Runs the layer.
   *
   * @param layer {@code x} and the weights
   * @param config the sizes
   * @return {@code output.F} (T, d) and {@code eidetic_sets.F} (chunks, E) for the forms F {@code
   *     parallel}, {@code chunked} (split at uneven places, also inside chunks) and {@code step};
   *     they belong to the caller's scope
   */
  public static Map<String, Tensor> run(Path layer, Path config) {
    Sizes sizes = Json.read(config, Sizes.class);
    try (Scope scope = new Scope();
        Safetensors file = Safetensors.open(layer)) {
      ScalarType type = sizes.dtype.equals("float64") ? ScalarType.Double : ScalarType.Float;
      int rank = (int) file.tensor("w.ssm.dt_proj.weight").size(1);
      boolean predicts = file.names().contains("w.innovation.down");
      int predictor = predicts ? (int) file.tensor("w.innovation.down").size(0) : 0;
      BMojo mixer = new BMojo(sizes.config(rank, predictor), sizes.d, new Initializer(0, type));
      load(file, mixer);
      Tensor x = file.tensor("x").to(type).unsqueeze(0); // (1, T, d)

      Map<String, Tensor> results = new LinkedHashMap<>();
      try (Tape tape = Tape.off()) {
        Tensor output = mixer.forward(tape, Var.constant(x), null).value();
        results.put("output.parallel", scope.keep(output.squeeze(0)));
      }
      int[] whole = {sizes.T};
      results.put("eidetic_sets.parallel", scope.keep(run(mixer, x, sizes, whole).sets()));
      Run chunked = run(mixer, x, sizes, new int[] {1, 2, 3, 5, 1, 7});
      results.put("output.chunked", scope.keep(chunked.output()));
      results.put("eidetic_sets.chunked", scope.keep(chunked.sets()));
      Run step = run(mixer, x, sizes, new int[0]);
      results.put("output.step", scope.keep(step.output()));
      results.put("eidetic_sets.step", scope.keep(step.sets()));
      return results;
    }
  }

  /**
   * @param output (T, d)
   * @param sets (chunks, E)
   */
  private record Run(Tensor output, Tensor sets) {}

  /** With a state, in calls of these lengths, over and over; no lengths: step by step. */
  private static Run run(BMojo mixer, Tensor x, Sizes sizes, int[] lengths) {
    Map<Long, Owned> sets = new TreeMap<>();
    try (Scope scope = new Scope();
        Tape tape = Tape.off();
        MixerState state = mixer.newState(1)) {
      state.listen((first, positions) -> {
        for (long m = 0; m < positions.size(1); m++) {
          Owned before = sets.put(first + m, new Owned(positions.select(1, m).clone()));
          if (before != null) before.close();
        }
      });
      Tensor[] parts = new Tensor[sizes.T];
      int count = 0;
      for (int from = 0, n = 0; from < sizes.T; from += n, count++) {
        n = lengths.length == 0 ? 1 : Math.min(lengths[count % lengths.length], sizes.T - from);
        Tensor part = x.narrow(1, from, n).contiguous();
        parts[count] =
            lengths.length == 0
                ? mixer.step(part, state)
                : mixer.forward(tape, Var.constant(part), state).value();
      }
      Tensor output = cat(1, Arrays.copyOf(parts, count)).squeeze(0);
      Tensor[] rows = sets.values().stream().map(Owned::get).toArray(Tensor[]::new);
      Tensor joined = rows.length == 0 ? torch.zeros(0, 0).to(ScalarType.Long) : cat(0, rows);
      return new Run(scope.keep(output), scope.keep(joined));
    } finally {
      sets.values().forEach(Owned::close);
    }
  }

  /** Copies what the layer has parameters for; the file may hold more. */
  private static void load(Safetensors file, BMojo mixer) {
    for (Map.Entry<String, Parameter> e : Names.of(mixer).entrySet()) {
      String name = "w." + e.getKey().replace("conv1d", "conv");
      boolean named = file.names().contains(name);
      String stored = named ? name : name.replaceFirst("\\.weight$", "");
      Tensor target = e.getValue().value();
      file.copyInto(stored, target);
    }
  }
}
