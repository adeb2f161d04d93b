package org.bmojo.eval;

import java.util.LinkedHashMap;
import java.util.Map;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Names;
import org.bmojo.layer.Norm;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Placement;
import org.bmojo.model.Trainable;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * MAD's model for {@link org.bmojo.tasks.Compression} (Poli et al. 2024): a language model reads,
 * only what its head would read of the last position is kept, and every token must be told from
 * that vector and the token's place.
 *
 * <pre>
 * ids (B, T) ─ language model ─ last vector (B, d) ─ + place t, for every t ─ two layers ─ logits (B·T, V)
 * </pre>
 *
 * The two layers are norm, linear map, GELU; another norm and a linear head follow.
 */
public final class Autoencoder implements Trainable, AutoCloseable {
  private static final double NORM_EPS = 1e-5;

  private final LanguageModel encoder;
  private final Norm firstNorm, secondNorm, lastNorm; // (d)
  private final Linear first, second; // (d, d)
  private final Linear head; // (V, d)

  private Autoencoder(LanguageModel encoder, Initializer init) {
    this.encoder = encoder;
    int d = encoder.config().width();
    firstNorm = Norm.create(init, d, NORM_EPS);
    first = Linear.create(init, d, d, true);
    secondNorm = Norm.create(init, d, NORM_EPS);
    second = Linear.create(init, d, d, true);
    lastNorm = Norm.create(init, d, NORM_EPS);
    head = Linear.create(init, d, encoder.config().vocabulary());
  }

  /** A fresh decoder for {@code encoder}, which stays the caller's. */
  static Autoencoder create(LanguageModel encoder, Placement placement, long seed) {
    try (Scope scope = new Scope()) {
      Autoencoder fresh = new Autoencoder(encoder, new Initializer(~seed, ScalarType.Float));
      fresh.own().values().forEach(p -> p.place(placement.libtorch(), placement.type(), true));
      return fresh;
    }
  }

  /** The encoder's weights and the decoder's. */
  @Override
  public Map<String, Parameter> parameters() {
    Map<String, Parameter> all = new LinkedHashMap<>(encoder.parameters());
    all.putAll(own());
    return all;
  }

  @Override
  public Device device() {
    return encoder.device();
  }

  @Override
  public Var loss(Tape tape, Batch batch) {
    try (Scope scope = new Scope()) {
      Var rows = decoded(tape, batch.ids()); // (B·T, d)
      Tensor targets = batch.targets().reshape(-1).to(device(), ScalarType.Long);
      Var loss = KernelOps.meanCrossEntropy(tape, rows, head.weight(), targets, batch.labelled());
      scope.keep(loss.value());
      return loss;
    }
  }

  /** Logits of some positions, (K, V), as {@link LanguageModel#logitsAt}. */
  Tensor logitsAt(Tensor ids, Tensor rows) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Tensor asked = decoded(tape, ids).value().index_select(0, rows.to(device(), ScalarType.Long));
      return scope.keep(asked.matmul(head.weight().value().t()).to(ScalarType.Float));
    }
  }

  private Var decoded(Tape tape, Tensor ids) {
    long length = ids.size(1);
    int d = encoder.config().width();
    Var hidden = encoder.hidden(tape, ids, null); // (B, T, d)
    Tensor places = places(length, d).to(device(), hidden.value().scalar_type()); // (T, d)
    Var x =
        TorchFunction.apply(
            tape,
            in -> in[0].select(1, length - 1).unsqueeze(1).add(places).reshape(-1, d),
            hidden);
    x = gelu(tape, first.forward(tape, firstNorm.forward(tape, x)));
    x = gelu(tape, second.forward(tape, secondNorm.forward(tape, x)));
    return lastNorm.forward(tape, x);
  }

  private static Var gelu(Tape tape, Var x) {
    return TorchFunction.apply(tape, in -> torch.gelu(in[0]), x);
  }

  /** Sines, then cosines, of frequencies from 1 down to 1/10,000: (T, d). */
  private static Tensor places(long length, int d) {
    float[] values = new float[Math.toIntExact(length) * d];
    int half = d / 2;
    for (int t = 0; t < length; t++) {
      for (int i = 0; i < d; i++) {
        double angle = t / Math.pow(10_000, (double) (i % half) / Math.max(1, half - 1));
        values[t * d + i] = (float) (i < half ? Math.sin(angle) : Math.cos(angle));
      }
    }
    return torch.tensor(values).reshape(length, d);
  }

  private Map<String, Parameter> own() {
    Names names = new Names();
    names.in("decoder.norm1", firstNorm).in("decoder.linear1", first);
    names.in("decoder.norm2", secondNorm).in("decoder.linear2", second);
    names.in("decoder.norm", lastNorm).in("decoder.head", head);
    return names.all();
  }

  /** Frees the decoder's weights. */
  @Override
  public void close() {
    own().values().forEach(Parameter::close);
  }
}
