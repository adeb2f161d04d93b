package org.bmojo.mixer;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.bmojo.kernels.cpu.Lanes;
import org.bmojo.kernels.cpu.MatrixRows;
import org.bmojo.kernels.cpu.VectorMath;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.bmojo.kernels.token.Attend.Angles;
import org.bmojo.kernels.token.Input;
import org.bmojo.kernels.token.Moment;
import org.bmojo.kernels.token.Normalise;
import org.bmojo.kernels.token.Products;
import org.bmojo.kernels.token.Stage;
import org.bmojo.kernels.token.TokenProgram;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Norm;
import org.bmojo.layer.RotaryCache;
import org.bmojo.layer.RotaryTable;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A model's step for one sequence on the CPU, while layers add their stages to it. Matrices are
 * read where they lie; gains, taps, biases and decay rates are copied, so a plan is of weights that
 * do not change.
 */
public final class TokenPlan {
  private record Turning(RotaryCache rotary, Angles angles) {}

  private record Read(Parameter parameter, Tensor value) {}

  private final int width;
  private final TokenProgram program = new TokenProgram();
  private final Moment moment = new Moment();
  private final Map<RotaryTable, Turning> turnings = new HashMap<>();
  private final List<Read> reads = new ArrayList<>();
  private final List<Consumer<MixerState>> layers = new ArrayList<>();

  /**
   * @param width d of the model
   */
  public TokenPlan(int width) {
    this.width = width;
  }

  /** Where a layer's output goes. */
  @FunctionalInterface
  interface End {
    /** The product that makes it. */
    Products.To of(Linear map);
  }

  int width() {
    return width;
  }

  Moment moment() {
    return moment;
  }

  /** Room for so many numbers. */
  public float[] vector(int length) {
    return TokenProgram.vector(length);
  }

  /** Adds a stage. */
  public void add(Stage stage) {
    program.add(stage);
  }

  static Stage beside(Stage first, Stage... others) {
    if (others.length == 0) return first;
    Stage[] all = new Stage[others.length + 1];
    all[0] = first;
    System.arraycopy(others, 0, all, 1, others.length);
    return Stage.together(all);
  }

  /** Whether {@code p} can be read: float32 or packed, on the CPU. */
  public static boolean reads(Parameter p) {
    Tensor value = p.value();
    if (!value.is_cpu()) return false;
    boolean whole = value.scalar_type().intern() == ScalarType.Float && value.is_contiguous();
    return p.packed() != null || whole;
  }

  /** {@code x}, normalised. */
  public Input normed(Norm norm, float[] x) {
    return new Input.Normed(x, numbers(norm.weight(), width), width, norm.eps());
  }

  /** The same, written where several stages read it. */
  float[] normalised(Norm norm, float[] x) {
    float[] to = vector(width);
    add(new Normalise(normed(norm, x), to));
    return to;
  }

  /** A product with what is learnt in {@code map}, which takes the place of what was there. */
  public Products.To set(Linear map, float[] to) {
    return Products.To.set(rows(map.weight()), bias(map), to);
  }

  /** A product that is added to what is there, and {@code besides} with it. */
  public Products.To add(Linear map, float[] to, float @Nullable [] besides) {
    return new Products.To(rows(map.weight()), bias(map), to, true, besides);
  }

  private float @Nullable [] bias(Linear map) {
    Parameter bias = map.bias();
    return bias == null ? null : numbers(bias, (int) bias.value().numel());
  }

  /** Adds a layer: {@code bind} is told of its state before each run. */
  void layer(Consumer<MixerState> bind) {
    layers.add(bind);
  }

  /** A matrix to multiply by. */
  public MatrixRows rows(Parameter matrix) {
    return new MatrixRows(packed(matrix));
  }

  /** Its upper and lower half, as matrices of their own. */
  MatrixRows[] halves(Parameter matrix) {
    PackedMatrix all = packed(matrix);
    long half = all.out() / 2;
    return new MatrixRows[] {
      new MatrixRows(all.rows(0, half)), new MatrixRows(all.rows(half, half))
    };
  }

  private PackedMatrix packed(Parameter matrix) {
    reads.add(new Read(matrix, matrix.value()));
    PackedMatrix packed = matrix.packed();
    return packed == null ? PackedMatrix.of(matrix.value(), Format.FP32) : packed;
  }

  /** A copy of a vector's numbers; zeros where there is none. */
  public float[] numbers(@Nullable Parameter vector, int length) {
    float[] numbers = vector(length);
    if (vector == null) return numbers;
    reads.add(new Read(vector, vector.value()));
    Floats.of(vector.value()).read(0, numbers, 0, length);
    return numbers;
  }

  /** The taps of a convolution, (K, padded I). */
  float[] taps(ShortConvolution convolution) {
    try (Scope _ = new Scope()) {
      Tensor weight = convolution.weight().value();
      reads.add(new Read(convolution.weight(), weight));
      int channels = (int) weight.size(0), taps = (int) weight.size(1);
      int stride = vector(channels).length;
      Floats rows = Floats.of(weight.t().contiguous()); // (K, I)
      float[] to = new float[taps * stride];
      for (int m = 0; m < taps; m++) rows.read((long) m * channels, to, m * stride, channels);
      return to;
    }
  }

  /** −exp(A_log)·log₂e, (I, padded N), zero in the padding. */
  float[] rates(Parameter aLog) {
    try (Scope _ = new Scope()) {
      reads.add(new Read(aLog, aLog.value()));
      long[] shape = Shapes.of(aLog.value());
      int channels = (int) shape[0], states = (int) shape[1], stride = Lanes.padded(states);
      Floats a = Floats.of(aLog.value().exp().neg());
      float[] to = new float[channels * stride];
      for (int i = 0; i < channels; i++) {
        a.read((long) i * states, to, i * stride, states);
        for (int n = 0; n < states; n++) to[i * stride + n] *= VectorMath.LOG2_E;
      }
      return to;
    }
  }

  /** Angles of the token's position, filled in before each run; null where there are none. */
  @Nullable Angles turn(@Nullable RotaryCache rotary) {
    if (rotary == null) return null;
    return turnings.computeIfAbsent(
            rotary.table(), table -> new Turning(rotary, empty(table.headDim())))
        .angles;
  }

  /** Angles of a position that stays. */
  static Angles turn(RotaryCache rotary, Tensor like, long position) {
    Angles angles = empty(rotary.table().headDim());
    fill(rotary, like, position, angles);
    return angles;
  }

  private static Angles empty(int dim) {
    return new Angles(new float[dim / 2], new float[dim / 2]);
  }

  private static void fill(RotaryCache rotary, Tensor like, long position, Angles to) {
    try (Scope _ = new Scope()) {
      RotaryTable.Angles angles = rotary.at(like, position, 1);
      Floats.of(angles.cos()).read(0, to.cos(), 0, to.cos().length);
      Floats.of(angles.sin()).read(0, to.sin(), 0, to.sin().length);
    }
  }

  /** The tensor of a part, contiguous, so that a program may write to it. */
  static Tensor inPlace(Owned part) {
    if (!part.get().is_contiguous()) {
      try (Scope _ = new Scope()) {
        part.set(part.get().contiguous());
      }
    }
    return part.get();
  }

  /** Whether all parameters still are the tensors that the plan was made of. */
  public boolean isCurrent() {
    for (Read read : reads) if (read.parameter.value() != read.value) return false;
    return true;
  }

  /**
   * Runs the program for the next token of one sequence.
   *
   * @param states of the layers, in order, each advanced by one token
   * @param like a parameter's value, for the type of angles
   */
  public void run(List<MixerState> states, Tensor like) {
    long position = states.getFirst().position();
    for (int i = 0; i < layers.size(); i++) layers.get(i).accept(states.get(i));
    moment.position = position;
    turnings.values().forEach(t -> fill(t.rotary, like, position, t.angles));
    program.run();
    for (MixerState state : states) state.positions.advance(1);
  }
}
