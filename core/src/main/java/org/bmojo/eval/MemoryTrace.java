package org.bmojo.eval;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.MixerState;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * What eidetic memory held while a text was read.
 *
 * @param sets per layer, per chunk touched: the positions held, ascending; layers without eidetic
 *     memory have none
 */
public record MemoryTrace(List<List<long[]>> sets) {
  /** Reads {@code ids} with {@code model} in one go. */
  public static MemoryTrace of(LanguageModel model, int[] ids) {
    List<List<long[]>> sets = new ArrayList<>();
    try (Scope scope = new Scope();
        ModelState state = model.newState(1)) {
      for (MixerState layer : state.layers()) {
        List<long[]> own = new ArrayList<>();
        sets.add(own);
        layer.listen((first, positions) -> own.addAll(held(positions)));
      }
      Tensor row = torch.tensor(ids, new TensorOptions(ScalarType.Int)).to(ScalarType.Long);
      model.lastLogits(row.unsqueeze(0), state);
    }
    return new MemoryTrace(sets);
  }

  /** The sets of the only sequence, chunk by chunk, without empty slots. */
  private static List<long[]> held(Tensor positions) {
    List<long[]> sets = new ArrayList<>();
    int chunks = (int) positions.size(1), capacity = (int) positions.size(2);
    LongPointer all = new LongPointer(positions.contiguous().data_ptr());
    for (int m = 0; m < chunks; m++) {
      long[] set = new long[capacity];
      all.position((long) m * capacity).get(set);
      sets.add(Arrays.stream(set).filter(p -> p >= 0).toArray());
    }
    return sets;
  }

  /**
   * How long each token was held: the share of the chunks since it became eligible in which any
   * layer had it.
   *
   * @param length tokens read
   */
  public double[] shares(int length) {
    double[] shares = new double[length];
    for (List<long[]> layer : sets) {
      double[] own = new double[length];
      int chunks = layer.size();
      for (int m = 0; m < chunks; m++) {
        for (long p : layer.get(m)) own[(int) p]++;
      }
      for (int p = 0; p < length; p++) {
        int since = (int) Math.max(1, chunks - (long) chunks * p / length);
        shares[p] = Math.max(shares[p], Math.min(1, own[p] / since));
      }
    }
    return shares;
  }
}
