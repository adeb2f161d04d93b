package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.torch.Tensors.cat;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;

/** Reads through a layer with a state, in calls of any lengths, and notes the eidetic sets. */
final class Reader implements AutoCloseable {
  private final BMojo layer;
  final MixerState state;

  /** By chunk, then sequence. */
  private final TreeMap<Long, List<long[]>> sets = new TreeMap<>();

  Reader(BMojo layer, long batch) {
    this.layer = layer;
    state = layer.newState(batch);
    state.listen(this::note);
  }

  private void note(long firstChunk, Tensor positions) {
    for (long m = 0; m < positions.size(1); m++) {
      List<long[]> ofSequences = new ArrayList<>();
      for (long b = 0; b < positions.size(0); b++) {
        ofSequences.add(kept(positions.select(0, b).select(0, m)));
      }
      List<long[]> before = sets.put(firstChunk + m, ofSequences);
      for (int b = 0; before != null && b < before.size(); b++) {
        assertThat(ofSequences.get(b))
            .as("the set of one chunk, told twice")
            .isEqualTo(before.get(b));
      }
    }
  }

  /** Positions before the first empty slot; none may follow. */
  static long[] kept(Tensor row) {
    List<Long> positions = new ArrayList<>();
    for (long e = 0; e < row.size(0); e++) {
      long position = row.select(0, e).item_long();
      if (position < 0) {
        assertThat(row.narrow(0, e, row.size(0) - e).max().item_long()).isEqualTo(-1);
        break;
      }
      positions.add(position);
    }
    return positions.stream().mapToLong(p -> p).toArray();
  }

  /** Sets of sequence b so far, chunk by chunk. */
  List<long[]> sets(int b) {
    return sets.values().stream().map(s -> s.get(b)).toList();
  }

  /** Several tokens a call; a length of 0 stands for one token by the step form. */
  Tensor read(Tensor x, int... lengths) {
    List<Tensor> parts = new ArrayList<>();
    long from = 0;
    try (Tape tape = Tape.off()) {
      for (int length : lengths) {
        Tensor part = x.narrow(1, from, Math.max(1, length)).contiguous();
        parts.add(
            length == 0
                ? layer.step(part, state)
                : layer.forward(tape, Var.constant(part), state).value());
        from += part.size(1);
      }
    }
    assertThat(from).as("tokens read").isEqualTo(x.size(1));
    return cat(1, parts.toArray(Tensor[]::new));
  }

  @Override
  public void close() {
    state.close();
  }
}
