package org.bmojo.bench.decode;

import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Placement;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A model to be timed: weights of the usual spread, drawn where they will lie, because a billion of
 * them drawn on the CPU take longer than all that is measured here.
 */
final class TimedModel {
  private TimedModel() {}

  static LanguageModel create(ModelConfig config, Placement placement) {
    LanguageModel model = LanguageModel.shapes(config, ScalarType.Float);
    torch.manual_seed(1);
    model
        .parameters()
        .forEach((name, p) -> {
          try (Scope _ = new Scope()) {
            p.borrow(drawn(name, p, placement));
          }
        });
    return model;
  }

  private static Tensor drawn(String name, Parameter p, Placement placement) {
    long[] shape = Shapes.of(p.value());
    TensorOptions there =
        new TensorOptions(p.decays() ? placement.type() : ScalarType.Float)
            .device(new DeviceOptional(placement.libtorch()));
    if (name.endsWith("A_log")) return torch.zeros(shape, there);
    if (name.endsWith("dt_proj.bias")) return torch.full(shape, Tensors.scalar(-4.6), there);
    if (!p.decays() && shape.length == 1) return torch.ones(shape, there);
    boolean table = name.startsWith("embed") || name.startsWith("lm_head");
    double spread = table ? 0.02 : 1 / Math.sqrt(shape[shape.length - 1]);
    return torch.randn(shape, there).mul_(Tensors.scalar(spread)).clone();
  }

  /** Bytes of weights that a token reads: all, but for a table of which it reads one row. */
  static long bytesRead(LanguageModel model) {
    boolean tied = model.config().tied();
    return model.parameters().entrySet().stream()
        .filter(e -> tied || !e.getKey().startsWith("embed"))
        .mapToLong(e -> e.getValue().value().numel() * e.getValue().value().element_size())
        .sum();
  }
}
