package org.bmojo.mixer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A layer of random sizes and switches with random weights, and something for it to read.
 *
 * @param config of the layer
 * @param width d
 * @param batch B
 * @param tokens T
 * @param seed of weights and inputs
 */
record LayerCase(MixerConfig config, int width, int batch, int tokens, long seed) {
  /** As the seed decides; the switches go round so that few seeds meet every one of them. */
  static LayerCase random(long seed) {
    SplittableRandom r = new SplittableRandom(seed);
    int n = (int) seed;
    Selection selection = Selection.values()[n % Selection.values().length];
    boolean ssm = n % 4 != 3 || selection.readsState();
    int window = r.nextInt(5) == 0 ? 1 : r.nextInt(1, 8);
    int fading = !ssm || n % 5 == 4 ? 0 : r.nextInt(1, 9);
    int groups = r.nextInt(1, 3), heads = groups * r.nextInt(1, 3);
    EideticConfig eidetic =
        new EideticConfig(
            r.nextInt(6) == 0 ? 64 : r.nextInt(1, 7),
            r.nextInt(1, window + 4),
            selection,
            FarPositions.values()[n / 7 % 4],
            r.nextInt(3),
            !selection.joins() && n / 2 % 2 == 0,
            threshold(n / 3 % 3, selection, r));
    if (n % 3 != 2 && !eidetic.positions().turnsKeys()) {
      StorageConfig.Summary summary = StorageConfig.Summary.values()[n / 3 % 2];
      eidetic = eidetic.with(new StorageConfig(1 + n % 5, summary, 1 + n / 2 % 4));
    }
    if (n % 5 < 2 && eidetic.chunk() <= window) eidetic = eidetic.eligible(true);
    if (n / 9 % 2 == 1 && selection.predicts()) eidetic = eidetic.predictingFrom(true);
    AttentionConfig attention =
        new AttentionConfig(
            heads,
            groups,
            2 * r.nextInt(1, 4),
            window,
            fading,
            n % 3 == 0 ? 0 : r.nextInt(2, 5),
            n / 5 % 2 == 0,
            n % 2 == 0,
            n % 11 == 10 ? 0 : 10_000,
            n % 8 == 7 ? null : eidetic);
    SsmConfig state = ssm ? new MambaConfig(r.nextInt(1, 4), r.nextInt(2, 5), 1 + n % 2, 0) : null;
    int tokens = r.nextInt(5) == 0 ? r.nextInt(1, window + 1) : r.nextInt(8, 40);
    return new LayerCase(
        new MixerConfig(state, attention, ssm && n % 5 > 2), 6, 1 + n / 4 % 2, tokens, seed);
  }

  private static @Nullable Threshold threshold(int kind, Selection selection, SplittableRandom r) {
    return switch (kind) {
      case 0 -> null;
      case 1 -> new Threshold(null, r.nextDouble(0.2, 0.9));
      // Near the middle of what such scores are, so that it decides something.
      default -> {
        double typical =
            switch (selection) {
              case INNOVATION, FILTER -> 1.1;
              case IMPORTANCE, CONTEXTUAL, COMBINED, RANDOM -> 0.6;
              case RECENT -> 7;
              case STRIDE, NONE -> 0.5;
            };
        yield new Threshold(typical, null);
      }
    };
  }

  /** The layer; every parameter a little off its initial value, so that all of them matter. */
  BMojo layer(ScalarType type) {
    BMojo layer = new BMojo(config, width, new Initializer(seed, type));
    Draw draw = new Draw(seed);
    Names.of(layer)
        .forEach((name, p) -> {
          double by = name.endsWith("gamma") || name.endsWith("norm.weight") ? 0.7 : 0.1;
          Tensor noise = draw.normal(Shapes.of(p.value()));
          p.value().add_(noise.mul(Tensors.scalar(by)).to(p.value().scalar_type()));
        });
    return layer;
  }

  /** (B, count, d) of unequal loudness, which normalising scores must even out. */
  Tensor input(ScalarType type, int count) {
    Draw draw = new Draw(~seed, type, new Device("cpu"));
    return draw.normal(batch, count, width).mul(draw.uniform(0.5, 2, batch, count, 1));
  }

  /** Float64 copies of a layer's weights that libtorch may differentiate by. */
  static Map<String, Tensor> leaves(Map<String, Parameter> parameters) {
    Map<String, Tensor> leaves = new LinkedHashMap<>();
    parameters.forEach((name, p) ->
        leaves.put(name, p.value().to(ScalarType.Double).clone().set_requires_grad(true)));
    return leaves;
  }

  /** Lengths that sum up to {@code total}, as another seed decides. */
  static int[] split(long seed, int total, int longest) {
    SplittableRandom r = new SplittableRandom(seed);
    List<Integer> lengths = new ArrayList<>();
    for (int left = total; left > 0; left -= lengths.getLast()) {
      lengths.add(r.nextInt(1, Math.min(left, longest) + 1));
    }
    return lengths.stream().mapToInt(i -> i).toArray();
  }
}
