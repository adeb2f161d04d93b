package org.bmojo.train;

import java.util.List;
import java.util.Map;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;

/** AdamW's moments, and where the gradients are that move them. */
sealed interface Moments extends AutoCloseable permits WholeMoments, ShardedMoments {
  /** What this process updates: the same list as long as these are the same. */
  List<AdamW.Slot> slots();

  /** Nothing more flows to {@code p} in this update. */
  void whole(Parameter p);

  /** Has the gradients of all processes in the slots. */
  void gather();

  /** Has the updated weights in all processes. */
  void spread();

  /** Has everything in {@link #state}, and the masters whole, until the next update. */
  void collect();

  /** By name, {@code NAME.first} and {@code NAME.second}; valid after {@link #collect}. */
  Map<String, Tensor> state();

  /** Goes on from {@link #state}, which has been filled in. */
  void restored();

  @Override
  void close();
}
