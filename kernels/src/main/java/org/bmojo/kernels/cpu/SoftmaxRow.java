package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.bmojo.kernels.torch.Floats;

/** A row of logits, worked on where it lies: softmax cross-entropy, then its gradient. */
final class SoftmaxRow {
  private final Floats memory;
  private final long at;
  private final int length;
  private final float[] lanes = new float[LANES];
  private double sum;

  /**
   * The row.
   *
   * @param at its first element
   * @param length V
   */
  SoftmaxRow(Floats memory, long at, int length) {
    this.memory = memory;
    this.at = at;
    this.length = length;
  }

  /** −log softmax of {@code target}, in nats. Leaves exponentials in place of the logits. */
  float loss(int target) {
    float logit = memory.get(at + target), top = max();
    FloatVector total = all(0);
    for (int i = 0; i < length; i += LANES) {
      FloatVector p = VectorMath.exp(Lanes.load(memory, at + i, length - i).sub(top));
      Lanes.store(p, memory, at + i, length - i);
      total = total.add(i + LANES <= length ? p : head(p, length - i));
    }
    total.intoArray(lanes, 0); // reduceLanes promises no order
    sum = 0;
    for (float lane : lanes) sum += lane;
    return (float) ((double) top - logit + Math.log(sum));
  }

  private float max() {
    FloatVector top = all(Float.NEGATIVE_INFINITY);
    int i = 0;
    for (; i + LANES <= length; i += LANES) {
      FloatVector x = Lanes.load(memory, at + i);
      top = top.blend(x, x.compare(VectorOperators.GT, top));
    }
    float max = top.reduceLanes(VectorOperators.MAX);
    for (; i < length; i++) max = Math.max(max, memory.get(at + i));
    return max;
  }

  private static FloatVector head(FloatVector v, int count) {
    return all(0).blend(v, Lanes.SPECIES.indexInRange(0, count));
  }

  /** After {@link #loss}: puts scale·(softmax − 1 at {@code target}) in its place. */
  void differentiate(int target, float scale) {
    float factor = (float) (scale / sum);
    for (int i = 0; i < length; i += LANES) {
      Lanes.store(Lanes.load(memory, at + i, length - i).mul(factor), memory, at + i, length - i);
    }
    memory.set(at + target, memory.get(at + target) - scale);
  }

  /** Puts zeros in the row's place. */
  void clear() {
    for (int i = 0; i < length; i += LANES) Lanes.store(all(0), memory, at + i, length - i);
  }
}
