package org.bmojo.train;

import static org.bmojo.kernels.torch.Tensors.empty;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.cuda.Graph;
import org.bmojo.kernels.torch.Later;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.model.Batch;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * An update whose batches have one shape, every token labelled and rows of one document, as a
 * {@link Graph}: the host copies ids, targets and six numbers to where the recorded kernels read
 * them, and launches all at once. The first few run kernel by kernel. All compute what {@link
 * Trainer} does, to the last bit.
 */
final class RecordedUpdate implements AutoCloseable {
  /** Behind the four numbers that the optimizer reads. */
  private static final int VARYING = 4, LIMIT = 4, END = 5, NUMBERS = 6;

  private final Function<List<Batch>, Tensor> passes;
  private final Optimizer optimizer;
  private final List<Batch> inputs = new ArrayList<>(); // where the weights are
  private final Tensor numbers; // (6) float64
  private final Tensor result; // (3) float64
  private int toRun;
  private @Nullable Graph graph;

  /**
   * Takes memory for batches of these shapes.
   *
   * @param passes forward and backward: batches → loss, float64
   * @param like gives the device
   * @param warmUps updates before the recording
   */
  RecordedUpdate(
      Function<List<Batch>, Tensor> passes,
      Optimizer optimizer,
      Tensor like,
      List<Batch> shapes,
      int warmUps) {
    this.passes = passes;
    this.optimizer = optimizer;
    toRun = warmUps;
    try (Scope scope = new Scope()) {
      for (Batch batch : shapes) {
        long[] shape = Shapes.of(batch.ids());
        Tensor ids = empty(like, ScalarType.Long, shape).retainReference();
        Tensor targets = empty(like, ScalarType.Long, shape).retainReference();
        inputs.add(new Batch(ids, targets, batch.labelled()));
      }
      numbers = zeros(like, ScalarType.Double, NUMBERS).retainReference();
      result = zeros(like, ScalarType.Double, 3).retainReference();
    }
  }

  /** Whether an update of these can be recorded. */
  static boolean suits(List<Batch> batches) {
    return !batches.isEmpty()
        && batches.stream().allMatch(b -> b.labelled() == b.tokens() && b.begin() == null);
  }

  /** Whether these are of its shape. */
  boolean serves(List<Batch> batches) {
    if (batches.size() != inputs.size() || !suits(batches)) return false;
    for (int i = 0; i < inputs.size(); i++) {
      Tensor given = batches.get(i).ids(), own = inputs.get(i).ids();
      if (given.size(0) != own.size(0) || given.size(1) != own.size(1)) return false;
    }
    return true;
  }

  /**
   * Queues the next update.
   *
   * @param limit the highest loss to accept
   * @param end whether this process asks for an end
   * @return loss, norm (no number where the update was left out) and 1 if an end is asked for
   */
  Later run(List<Batch> batches, double learningRate, double limit, boolean end) {
    for (int i = 0; i < inputs.size(); i++) {
      send(batches.get(i).ids(), inputs.get(i).ids());
      send(batches.get(i).targets(), inputs.get(i).targets());
    }
    double[] values = new double[NUMBERS];
    System.arraycopy(optimizer.next(learningRate), 0, values, 0, VARYING);
    values[LIMIT] = limit;
    values[END] = end ? 1 : 0;
    send(Tensors.of(values), numbers);
    if (graph == null && toRun == 0) graph = record();
    if (graph != null) {
      graph.replay();
    } else {
      toRun--;
      update();
    }
    return new Later(result);
  }

  private Graph record() {
    try {
      return Graph.capture(this::update);
    } catch (IllegalStateException e) {
      throw new BadInput(
          "an update of this model as a CUDA graph: " + e.getMessage(),
          "expected kernels that need nothing from the host",
          "Leave --graph out",
          e);
    }
  }

  private void update() {
    try (Scope scope = new Scope()) {
      Tensor loss = passes.apply(inputs);
      Tensor norm = optimizer.gradientNorm();
      Tensor high = loss.gt(numbers.select(0, LIMIT));
      norm = norm.add(loss.mul(scalar(0))).masked_fill(high, new Scalar(Double.NaN));
      optimizer.queueRecorded(numbers.narrow(0, 0, VARYING), norm);
      result.copy_(stack(0, loss, norm, numbers.select(0, END)));
    }
  }

  /** To a GPU by way of pinned memory, so that nobody waits. */
  private static void send(Tensor from, Tensor to) {
    boolean pinned = from.device().is_cpu() && to.is_cuda();
    to.copy_(pinned ? from.pin_memory() : from, true);
  }

  @Override
  public void close() {
    if (graph != null) graph.close();
    for (Batch input : inputs) {
      input.ids().releaseReference();
      input.targets().releaseReference();
    }
    numbers.releaseReference();
    result.releaseReference();
  }
}
