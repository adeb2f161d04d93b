package org.bmojo.bench.decode;

import static org.bytedeco.cuda.global.cudart.cudaDeviceSynchronize;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.cuda.Graph;
import org.bmojo.kernels.op.RowLinear;
import org.bmojo.kernels.op.TokenStep;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.model.LanguageModel;
import org.bytedeco.pytorch.Tensor;

/**
 * What of a token's time its matrices take: each kind by itself, all layers' one after the other as
 * recorded work, so that no cache holds what memory should give.
 */
final class Products {
  private static final int REPLAYS = 20;

  private Products() {}

  static void print(LanguageModel model, int batch) {
    Tensor like = model.parameters().values().iterator().next().value();
    TokenStep ops = Kernels.of(like).tokenStep();
    if (ops == null) {
      System.out.println("  no recorded steps here");
      return;
    }
    Map<String, List<Tensor>> kinds = new LinkedHashMap<>();
    model
        .parameters()
        .forEach((name, p) -> {
          boolean matrix = p.decays() && p.value().dim() == 2;
          String kind = name.replaceFirst("layers\\.\\d+\\.", "");
          if (matrix) kinds.computeIfAbsent(kind, _ -> new ArrayList<>()).add(p.value());
        });
    double[] all = {0};
    kinds.forEach((kind, weights) -> {
      double seconds = time(ops, Kernels.of(like).rowLinear(), weights, batch);
      Tensor one = weights.getFirst();
      double bytes = (double) weights.size() * one.numel() * one.element_size();
      all[0] += seconds;
      System.out.printf(
          "    %-28s %3d of %6d x %-5d %8.2f us each  %5.2f TB/s%n",
          kind,
          weights.size(),
          one.size(0),
          one.size(1),
          seconds / weights.size() * 1e6,
          bytes / seconds / 1e12);
    });
    System.out.printf("    %-28s %8.3f ms%n", "all of them", all[0] * 1e3);
  }

  private static double time(TokenStep ops, RowLinear rows, List<Tensor> weights, int batch) {
    Tensor one = weights.getFirst();
    try (Scope _ = new Scope()) {
      Tensor x = Tensors.zeros(one, batch, one.size(1));
      Tensor out = Tensors.zeros(one, batch, one.size(0));
      Runnable work =
          () ->
              ops.queue(() -> {
                for (Tensor w : weights) {
                  rows.forward(x, null, List.of(new RowLinear.Map(w, out)), List.of());
                }
              });
      try (Graph graph = Graph.of(one.device().index(), 1, work)) {
        graph.replay();
        await();
        long start = System.nanoTime();
        for (int i = 0; i < REPLAYS; i++) graph.replay();
        await();
        return (System.nanoTime() - start) / 1e9 / REPLAYS;
      }
    }
  }

  private static void await() {
    if (cudaDeviceSynchronize() != 0) throw new IllegalStateException("the GPU failed");
  }
}
