package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Context;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * libtorch's flash attention (Dao 2023), which has no static method in Java: the last query sees up
 * to the last key, earlier ones accordingly less, nobody further back than a window.
 */
final class Flash {
  /**
   * What leaves.
   *
   * @param out (B, T, H, D)
   * @param logSumExp (B, H, T) float32
   */
  record Part(Tensor out, Tensor logSumExp) {}

  /** Gradients. */
  record Gradients(Tensor q, Tensor k, Tensor v) {}

  /** System property: {@code false} sums the gradient of q by atomics, in any order, and faster. */
  private static final String DETERMINISTIC_PROPERTY = "bmojo.deterministic";

  private static final boolean DETERMINISTIC =
      Boolean.parseBoolean(System.getProperty(DETERMINISTIC_PROPERTY, "true"));

  private Flash() {}

  /** Whether it computes with tensors like this one, (B, T, H, D). */
  static boolean serves(Tensor q) {
    long dim = q.size(3);
    return q.scalar_type().intern() == ScalarType.BFloat16 && dim % 8 == 0 && dim <= 256;
  }

  /**
   * Softmax attention.
   *
   * @param q (B, T, H, D)
   * @param k (B, S, G, D), S ≥ T
   * @param back how many keys before its own a query sees; −1 for all
   */
  static Part forward(Tensor q, Tensor k, Tensor v, double scale, long back) {
    try (Scope scope = new Scope()) {
      IValue none = new IValue();
      IValueVector stack =
          new IValueVector(
              new IValue(q),
              new IValue(k),
              new IValue(v),
              none,
              none,
              new IValue(q.size(1)),
              new IValue(k.size(1)),
              new IValue(0.0),
              new IValue(back < 0),
              new IValue(false),
              new IValue(scale),
              new IValue(back),
              new IValue(back < 0 ? -1L : 0L),
              none,
              none);
      call("aten::_flash_attention_forward", stack);
      return new Part(
          scope.keep(new Tensor(stack.get(0).toTensor())),
          scope.keep(new Tensor(stack.get(1).toTensor())));
    }
  }

  /**
   * Gradients, of a softmax over more keys than these where {@code joint} is that of all: its
   * output and log-sum-exp are all that the formula knows of the other keys.
   */
  static Gradients backward(
      Tensor dOut, Tensor q, Tensor k, Tensor v, Part joint, double scale, long back) {
    try (Scope scope = new Scope()) {
      Tensor undefined = new Tensor();
      Tensor noDropout = Floats.empty(q, ScalarType.Long, 2);
      IValueVector stack =
          new IValueVector(
              new IValue(dOut),
              new IValue(q),
              new IValue(k),
              new IValue(v),
              new IValue(joint.out),
              new IValue(joint.logSumExp),
              new IValue(undefined),
              new IValue(undefined),
              new IValue(q.size(1)),
              new IValue(k.size(1)),
              new IValue(0.0),
              new IValue(back < 0),
              new IValue(noDropout),
              new IValue(empty(noDropout, 0)),
              new IValue(scale),
              new IValue(back),
              new IValue(back < 0 ? -1L : 0L));
      asAsked(() -> call("aten::_flash_attention_backward", stack));
      return new Gradients(
          scope.keep(new Tensor(stack.get(0).toTensor())),
          scope.keep(new Tensor(stack.get(1).toTensor())),
          scope.keep(new Tensor(stack.get(2).toTensor())));
    }
  }

  private static void call(String operator, IValueVector stack) {
    Dispatcher dispatcher = Dispatcher.singleton();
    dispatcher.callBoxed(dispatcher.findSchemaOrThrow(operator, ""), stack);
  }

  /** As the property says, whatever libtorch's own switch. */
  private static void asAsked(Runnable work) {
    Context context = torch.globalContext();
    boolean before = context.deterministicAlgorithms();
    boolean warnOnly = context.deterministicAlgorithmsWarnOnly();
    boolean fill = context.deterministicFillUninitializedMemory();
    context.setDeterministicFillUninitializedMemory(false);
    context.setDeterministicAlgorithms(DETERMINISTIC, false);
    try {
      work.run();
    } finally {
      context.setDeterministicAlgorithms(before, warnOnly);
      context.setDeterministicFillUninitializedMemory(fill);
    }
  }
}
