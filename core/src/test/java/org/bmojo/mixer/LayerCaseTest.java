package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import java.util.function.BiPredicate;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** The property tests' random layers are worth something only if they meet every switch. */
class LayerCaseTest {
  private final List<LayerCase> cases =
      FormsAgreeTest.inDouble().mapToObj(LayerCase::random).toList();

  @Test
  void everySelectionIsMetInEveryPosition() {
    TreeSet<String> met = new TreeSet<>();
    for (LayerCase c : cases) {
      EideticConfig eidetic = attention(c).eidetic();
      if (eidetic != null) met.add(eidetic.selection() + " " + eidetic.positions());
    }
    assertThat(met).hasSizeGreaterThanOrEqualTo(7 * 4 - 4);
  }

  @Test
  void everySwitchIsMetMoreThanOnce() {
    meets(c -> c.config().ssm() == null);
    meets(c -> attention(c).eidetic() == null);
    meets(c -> attention(c).fading() == 0 && c.config().ssm() != null);
    meets(c -> !attention(c).tied() && attention(c).fading() > 0);
    meets(c -> attention(c).qkNorm());
    meets(c -> attention(c).convolution() == 0);
    meets(c -> attention(c).ropeBase() == 0);
    meets(c -> attention(c).reach() == 1);
    meets(c -> attention(c).kvHeads() > 1 && attention(c).heads() > attention(c).kvHeads());
    meets(c -> c.tokens() <= attention(c).reach());
    meets(c -> attention(c).chunk() > attention(c).reach());
    meets(c -> c.batch() > 1);
    remembers((c, e) -> e.capacity() > c.tokens());
    remembers((c, e) -> e.modulated());
    remembers((c, e) -> e.early() && e.chunk() > 1);
    remembers((c, e) -> e.scaleFree());
    remembers((c, e) -> e.threshold() != null && e.threshold().quantile() != null);
    remembers((c, e) -> e.threshold() != null && e.threshold().absolute() != null);
  }

  private void remembers(BiPredicate<LayerCase, EideticConfig> what) {
    meets(c -> {
      EideticConfig eidetic = attention(c).eidetic();
      return eidetic != null && what.test(c, eidetic);
    });
  }

  private void meets(Predicate<LayerCase> what) {
    assertThat(cases.stream().filter(what).count()).isGreaterThan(1);
  }

  private static AttentionConfig attention(LayerCase c) {
    return Objects.requireNonNull(c.config().attention());
  }
}
