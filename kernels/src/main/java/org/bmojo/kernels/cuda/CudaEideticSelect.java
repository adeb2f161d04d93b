package org.bmojo.kernels.cuda;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** {@code eidetic_select.cu}: every chunk's set at once, no sort. */
public final class CudaEideticSelect implements EideticSelect {
  private static final String OP = "eidetic selection";

  private final EideticSelect composed;

  /**
   * A room's selection.
   *
   * @param composed serves float64 scores
   */
  public CudaEideticSelect(EideticSelect composed) {
    this.composed = composed;
  }

  @Override
  public Output forward(
      Rule rule,
      Tensor scores,
      long start,
      Tensor keptPositions,
      Tensor keptScores,
      @Nullable Tensor begin) {
    rule.expectFit(scores, start, keptPositions, keptScores, begin);
    if (scores.scalar_type().intern() != ScalarType.Float || rule.capacity() == 0) {
      return composed.forward(rule, scores, start, keptPositions, keptScores, begin);
    }
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, scores);
      long batch = scores.size(0), recent = scores.size(1), tail = rule.tail(start);
      int capacity = rule.capacity(), chunks = rule.chunks(start, recent - tail);
      Tensor positions = Floats.empty(scores, ScalarType.Long, batch, chunks, capacity);
      Tensor rows = Floats.empty(scores, ScalarType.Long, batch, chunks, capacity);
      Program.of(scores, "eidetic_select")
          .kernel("eidetic_select")
          .launch(
              new Grid(chunks, batch, 1, 256, 0),
              door.state("scores", scores),
              door.index("kept positions", keptPositions),
              door.state("kept scores", keptScores),
              door.beginOrNull(begin),
              positions,
              rows,
              recent,
              tail,
              start,
              capacity,
              rule.window(),
              rule.chunk());
      return new Output(scope.keep(positions), scope.keep(rows));
    }
  }
}
