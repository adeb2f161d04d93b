package org.bmojo.kernels.token;

import static org.bmojo.kernels.op.PackedMatrix.PANEL;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.kernels.cpu.MatrixRows;
import org.jspecify.annotations.Nullable;

/** Products of one vector with some matrices. */
public final class Products implements Stage {
  /** Weights of a part, roughly: enough to be worth a turn of two counters. */
  private static final long GRAIN = 1 << 17;

  private static final int MOST = 8; // parts for each thread

  /**
   * One of the matrices.
   *
   * @param bias added to the product; null for none
   * @param to where it goes, as long as whole panels
   * @param adds whether it is added to what is there
   * @param besides added as well; null for nothing
   */
  public record To(
      MatrixRows matrix,
      float @Nullable [] bias,
      float[] to,
      boolean adds,
      float @Nullable [] besides) {
    /** The product takes the place of what was there. */
    public static To set(MatrixRows matrix, float @Nullable [] bias, float[] to) {
      return new To(matrix, bias, to, false, null);
    }
  }

  private record Part(To to, int firstPanel, int endPanel) {}

  private final Input input;
  private final List<Part> parts = new ArrayList<>();

  /** All of {@code products} read {@code input}, and have as many columns. */
  public Products(Input input, To... products) {
    this.input = input;
    for (To to : products) {
      long weights = (long) to.matrix.out() * to.matrix.in();
      int threads = Crew.threads(), panels = to.matrix.panels();
      int each = (int) Math.clamp(weights / (GRAIN * threads), 1, MOST);
      int count = Math.min(panels, each * threads);
      for (int i = 0; i < count; i++) {
        parts.add(new Part(to, i * panels / count, (i + 1) * panels / count));
      }
    }
  }

  @Override
  public int parts() {
    return parts.size();
  }

  @Override
  public void run(int number, Room room) {
    Part part = parts.get(number);
    To to = part.to;
    float[] x = room.prepared(input, to.matrix);
    boolean direct = to.bias == null && !to.adds && to.besides == null;
    if (direct) {
      for (int p = part.firstPanel; p < part.endPanel; p++) {
        to.matrix.multiply(p, x, to.to, p * PANEL);
      }
      return;
    }
    float[] y = room.floats(PANEL);
    for (int p = part.firstPanel; p < part.endPanel; p++) {
      to.matrix.multiply(p, x, y, 0);
      int at = p * PANEL, count = Math.min(PANEL, to.matrix.out() - at);
      for (int r = 0; r < count; r++) {
        float sum = y[r];
        if (to.bias != null) sum += to.bias[at + r];
        if (to.besides != null) sum += to.besides[at + r];
        to.to[at + r] = to.adds ? to.to[at + r] + sum : sum;
      }
    }
  }
}
