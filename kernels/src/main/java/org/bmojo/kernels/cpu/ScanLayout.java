package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;

import org.bmojo.kernels.op.SelectiveScan.Inputs;
import org.bmojo.kernels.torch.Floats;

/**
 * How a scan is cut. Channels into blocks and tokens into pieces: that cut decides the order of the
 * sums and depends on the sizes alone. Blocks of one sequence into groups, a task each, which
 * decides nothing but who works when, and so may depend on the number of cores.
 *
 * <p>A task reads a piece of tokens of all its blocks at once, then takes it through block by
 * block: runs of a group's width arrive several times faster than runs of a block's.
 *
 * @param groups of each sequence
 */
record ScanLayout(int batch, int tokens, int channels, int states, int groups) {
  /** Channels of a block: its states and decay rates fit the first-level cache. */
  static final int BLOCK = Math.max(64, LANES);

  /** Tokens of a piece: short enough that backward's states and decays of a piece fit a cache. */
  static final int PIECE = 16;

  /** Blocks of a group at most: what a task reads of a piece fits the second-level cache. */
  private static final int GROUP = 8;

  /** Tasks for each core, so that the last ones to finish do not wait long for each other. */
  private static final int TASKS_PER_CORE = 4;

  static ScanLayout of(Inputs in) {
    int batch = Math.toIntExact(in.u().size(0)), channels = Math.toIntExact(in.u().size(2));
    int blocks = (channels + BLOCK - 1) / BLOCK;
    int forCores = (TASKS_PER_CORE * Cores.count() + batch - 1) / Math.max(1, batch);
    int forCache = (blocks + GROUP - 1) / GROUP;
    return new ScanLayout(
        batch,
        Math.toIntExact(in.u().size(1)),
        channels,
        Math.toIntExact(in.a().size(1)),
        Math.clamp(Math.max(forCores, forCache), 1, Math.max(1, blocks)));
  }

  int blocks() {
    return (channels + BLOCK - 1) / BLOCK;
  }

  int pieces() {
    return (tokens + PIECE - 1) / PIECE;
  }

  int tasks() {
    return batch * groups;
  }

  /** The sequence of a task. */
  int sequence(int task) {
    return task / groups;
  }

  /** The first block of a task; the first of the next group ends it. */
  int firstBlock(int task) {
    return task % groups * blocks() / groups;
  }

  /** One past the last block of a task. */
  int endBlock(int task) {
    return (task % groups + 1) * blocks() / groups;
  }

  /** How many channels a block has. */
  int width(int block) {
    return Math.min(BLOCK, channels - block * BLOCK);
  }

  /** Tokens of a piece that starts at {@code from}. */
  int length(int from) {
    return Math.min(PIECE, tokens - from);
  }

  /** How many channels a task has. */
  int taskWidth(int task) {
    return Math.min(endBlock(task) * BLOCK, channels) - firstBlock(task) * BLOCK;
  }

  /**
   * Floats from one token to the next in a task's arrays [token][channel]: a vector more than the
   * channels take, because rows a power of two apart would fall into the same few cache sets.
   */
  int stride(int task) {
    return (endBlock(task) - firstBlock(task)) * BLOCK + LANES;
  }

  /**
   * Brings a piece's rows of a tensor (B, T, I) into [token][channel], zero beyond the last
   * channel, so that the loops that follow find everything in a cache and whole vectors only.
   */
  void read(Floats from, int task, int token, int count, float[] to) {
    int width = taskWidth(task), stride = stride(task);
    for (int t = 0; t < count; t++) {
      long at = rowAt(task, token + t);
      for (int i = 0; i < width; i += LANES) {
        load(from, at + i, width - i).intoArray(to, t * stride + i);
      }
    }
  }

  /** The way back of {@link #read}. */
  void write(float[] from, int task, int token, int count, Floats to) {
    int width = taskWidth(task), stride = stride(task);
    for (int t = 0; t < count; t++) {
      long at = rowAt(task, token + t);
      for (int i = 0; i < width; i += LANES) {
        store(load(from, t * stride + i), to, at + i, width - i);
      }
    }
  }

  private long rowAt(int task, int token) {
    return ((long) sequence(task) * tokens + token) * channels + firstBlock(task) * BLOCK;
  }

  /** Where a token's states are, in tensors (B, T, N). */
  long mapAt(int sequence, int token) {
    return ((long) sequence * tokens + token) * states;
  }

  /** Size of a block's states as vectors: [channel vector][state][lane]. */
  int stateSize() {
    return BLOCK * states;
  }

  /** A task's part of a tensor (B, I, N) as vectors, [block][channel vector][state][lane]. */
  void readStates(Floats from, int task, float[] to) {
    int width = taskWidth(task);
    float[] rows = new float[width * states];
    from.read(stateAt(task), rows, 0, rows.length);
    toLanes(rows, width, states, to);
  }

  /** The way back of {@link #readStates}. */
  void writeStates(float[] from, int task, Floats to) {
    int width = taskWidth(task);
    float[] rows = new float[width * states];
    for (int i = 0; i < width; i++) {
      int base = i / LANES * LANES * states + i % LANES;
      for (int n = 0; n < states; n++) rows[i * states + n] = from[base + n * LANES];
    }
    to.write(stateAt(task), rows, 0, rows.length);
  }

  /** From rows [channel][state] to vectors; lanes beyond the last channel are left as they are. */
  static void toLanes(float[] rows, int width, int states, float[] to) {
    for (int i = 0; i < width; i++) {
      int base = i / LANES * LANES * states + i % LANES;
      for (int n = 0; n < states; n++) to[base + n * LANES] = rows[i * states + n];
    }
  }

  private long stateAt(int task) {
    return ((long) sequence(task) * channels + firstBlock(task) * BLOCK) * states;
  }

  /** The checkpoints' shape: for each sequence, piece and block its states as vectors. */
  long[] checkpoints() {
    return new long[] {batch, pieces(), blocks(), stateSize()};
  }

  long checkpointAt(int task, int piece) {
    long row = (long) sequence(task) * pieces() + piece;
    return (row * blocks() + firstBlock(task)) * stateSize();
  }
}
