package org.bmojo.model;

import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.cpu.MatrixRows;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.token.Products;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Norm;
import org.bmojo.mixer.TokenPlan;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * {@link LanguageModel#step} for one sequence on the CPU as one program: the same function of the
 * same state, several times quicker, because nothing is made or freed on the way. Two tokens may
 * alternate between this and the general step.
 */
final class TokenStep {
  private final TokenPlan plan;
  private final Parameter embedding;
  private final int vocabulary, width;
  private final float[] x, logits;
  private final List<Block> blocks;

  private TokenStep(
      ModelConfig config,
      Parameter embedding,
      List<Block> blocks,
      Norm norm,
      Parameter head,
      @Nullable PackedMatrix packedHead) {
    this.embedding = embedding;
    this.blocks = blocks;
    vocabulary = config.vocabulary();
    width = config.width();
    plan = new TokenPlan(width);
    x = plan.vector(width);
    logits = plan.vector(vocabulary);
    for (Block block : blocks) block.plan(plan, x);
    MatrixRows rows = packedHead == null ? plan.rows(head) : new MatrixRows(packedHead);
    plan.add(new Products(plan.normed(norm, x), Products.To.set(rows, null, logits)));
  }

  /** For a model that has all that a plan can say; null for any other. */
  static @Nullable TokenStep of(
      LanguageModel model,
      Parameter embedding,
      List<Block> blocks,
      Norm norm,
      Parameter head,
      @Nullable PackedMatrix packedHead) {
    boolean known = blocks.stream().allMatch(Block::plans);
    boolean read = model.parameters().values().stream().allMatch(TokenPlan::reads);
    if (!known || !read || !Kernels.of(embedding.value()).name().equals("cpu")) return null;
    try (Scope _ = new Scope()) {
      return new TokenStep(model.config(), embedding, blocks, norm, head, packedHead);
    }
  }

  /** Whether it may be used still: the weights are those that it was made of. */
  boolean isCurrent() {
    return plan.isCurrent();
  }

  /** Whether it can read the next token of {@code state}. */
  boolean serves(ModelState state) {
    if (state.batch() != 1) return false;
    long position = state.position();
    for (Block block : blocks) if (block.mixer.refreshesAt(position)) return false;
    return true;
  }

  /**
   * Reads a token.
   *
   * @param ids (1, 1)
   * @return logits of the next, (1, V)
   */
  synchronized Tensor step(Tensor ids, ModelState state) {
    long id = ids.item_long();
    if (id < 0 || id >= vocabulary) {
      throw new BadInput(
          "token id " + id,
          "expected 0 to " + (vocabulary - 1),
          "use the tokenizer that the model was trained with");
    }
    try (Scope scope = new Scope()) {
      Floats.of(embedding.value()).read(id * width, x, 0, width);
      plan.run(state.layers(), embedding.value());
      Tensor out = torch.empty(new long[] {1, vocabulary}, embedding.value().options(), null);
      Floats.of(out).write(0, logits, 0, vocabulary);
      return scope.keep(out);
    }
  }
}
