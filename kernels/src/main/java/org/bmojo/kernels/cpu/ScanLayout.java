package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;

import org.bmojo.kernels.op.SelectiveScan.Inputs;
import org.bmojo.kernels.torch.Floats;

/**
 * How a scan is cut: channels into blocks, tokens into pieces, a task for each sequence and block.
 * The cut depends on the sizes alone.
 */
record ScanLayout(int batch, int tokens, int channels, int states) {
  /**
   * Channels of a task: wide enough that sums over a block's channels are rare and that memory is
   * read by several cache lines at once, narrow enough that a block's states fit the first-level
   * cache and that a single sequence feeds many cores.
   */
  static final int BLOCK = Math.max(64, LANES);

  /** Tokens of a piece: short enough that backward's states and decays of a piece fit a cache. */
  static final int PIECE = 16;

  static ScanLayout of(Inputs in) {
    return new ScanLayout(
        Math.toIntExact(in.u().size(0)),
        Math.toIntExact(in.u().size(1)),
        Math.toIntExact(in.u().size(2)),
        Math.toIntExact(in.a().size(1)));
  }

  int blocks() {
    return (channels + BLOCK - 1) / BLOCK;
  }

  int pieces() {
    return (tokens + PIECE - 1) / PIECE;
  }

  int tasks() {
    return batch * blocks();
  }

  /** The sequence of a task. */
  int sequence(int task) {
    return task / blocks();
  }

  /** The first channel of a task. */
  int channel(int task) {
    return block(task) * BLOCK;
  }

  /** How many channels a task has. */
  int width(int task) {
    return Math.min(BLOCK, channels - channel(task));
  }

  /** Tokens of a piece that starts at {@code from}. */
  int length(int from) {
    return Math.min(PIECE, tokens - from);
  }

  /**
   * Brings a piece's rows of a tensor (B, T, I) into [token][channel], zero beyond the last
   * channel. The loops that follow find everything in the cache and whole vectors only; this one,
   * having nothing to compute, keeps many cache lines in flight.
   */
  void read(Floats from, int task, int token, int count, float[] to) {
    int width = width(task);
    for (int t = 0; t < count; t++) {
      long at = rowAt(task, token + t);
      for (int i = 0; i < width; i += LANES) {
        load(from, at + i, width - i).intoArray(to, t * BLOCK + i);
      }
    }
  }

  /** The way back of {@link #read}. */
  void write(float[] from, int task, int token, int count, Floats to) {
    int width = width(task);
    for (int t = 0; t < count; t++) {
      long at = rowAt(task, token + t);
      for (int i = 0; i < width; i += LANES) {
        store(load(from, t * BLOCK + i), to, at + i, width - i);
      }
    }
  }

  private long rowAt(int task, int token) {
    return ((long) sequence(task) * tokens + token) * channels + channel(task);
  }

  /** Where a token's states are, in tensors (B, T, N). */
  long mapAt(int task, int token) {
    return ((long) sequence(task) * tokens + token) * states;
  }

  /** Where a task's states start, in tensors (B, I, N). */
  long stateAt(int task) {
    return ((long) sequence(task) * channels + channel(task)) * states;
  }

  /** The block of a task. */
  int block(int task) {
    return task % blocks();
  }

  /** Size of a task's states as vectors: [channel vector][state][lane]. */
  int stateSize() {
    return BLOCK * states;
  }

  /** The checkpoints' shape: for each task and piece a block of states as vectors. */
  long[] checkpoints() {
    return new long[] {tasks(), pieces(), stateSize()};
  }

  long checkpointAt(int task, int piece) {
    return ((long) task * pieces() + piece) * stateSize();
  }
}
