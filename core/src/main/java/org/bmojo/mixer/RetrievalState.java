package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulation;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.torch.Owned;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * What {@link Retrieval} remembers: what the last question brought, who asks, and the past where it
 * is kept.
 */
final class RetrievalState implements StateParts.Parted, AutoCloseable {
  final Owned k, v; // (B, R, G, D)
  final Owned positions; // (B, G, R), −1 where empty
  final Owned bias; // (B, H, R), −∞ where empty
  final @Nullable Ring queries; // (B, S − 1, H, D), as long-term memory sees them
  final Ring pastK, pastV; // (B, tokens, G, D), k unrotated; empty where there is a Storage
  final Ring pastScores; // (B, tokens, 2): whether it may be stored, and its score

  private boolean filled;

  RetrievalState(Retrieval r, Tensor like, long batch, long dim) {
    StorageConfig c = r.config;
    Tensor score = zeros(like, accumulation(like), batch);
    k = new Owned(zeros(like, batch, c.retrieved(), r.groups, dim));
    v = new Owned(zeros(like, batch, c.retrieved(), r.groups, dim));
    positions =
        new Owned(zeros(like, ScalarType.Long, batch, r.groups, c.retrieved()).sub(new Scalar(1L)));
    Scalar never = scalar(Double.NEGATIVE_INFINITY);
    bias = new Owned(zeros(score, batch, r.heads, c.retrieved()).add(never));
    queries = c.queries() == 1 ? null : new Ring(c.queries() - 1, like, batch, r.heads, dim);
    pastK = new Ring(0, like, batch, r.groups, dim);
    pastV = new Ring(0, like, batch, r.groups, dim);
    pastScores = new Ring(0, score, batch, 2);
  }

  @Override
  public void parts(StateParts parts) {
    parts.add("k", k).add("v", v).add("positions", positions).add("bias", bias);
    parts.in("queries", queries);
    parts.addSparse("past_k", pastK.owned()).addSparse("past_v", pastV.owned());
    parts.addSparse("past_scores", pastScores.owned());
  }

  /** Whether nothing was brought back yet; once something was, nobody looks again. */
  boolean isEmpty() {
    if (!filled) filled = !positions.get().lt(new Scalar(0L)).all().item_bool();
    return !filled;
  }

  void set(Retrieval.Brought last) {
    k.set(last.k().value().select(1, last.chunks() - 1).clone());
    v.set(last.v().value().select(1, last.chunks() - 1).clone());
    positions.set(last.positions().select(1, last.chunks() - 1).clone());
    bias.set(last.bias().value().select(1, last.chunks() - 1).clone());
  }

  /** Takes what some rows were brought from {@code part}, which has just these. */
  void takeSets(RetrievalState part, Tensor index) {
    k.get().index_copy_(0, index, part.k.get());
    v.get().index_copy_(0, index, part.v.get());
    positions.get().index_copy_(0, index, part.positions.get());
    bias.get().index_copy_(0, index, part.bias.get());
  }

  @Override
  public void close() {
    for (Owned o : new Owned[] {k, v, positions, bias}) o.close();
    if (queries != null) queries.close();
    pastK.close();
    pastV.close();
    pastScores.close();
  }
}
