package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A state must not keep alive the tensors that it was cut from, whose size grows with T. */
class StateSizeTest {
  @ParameterizedTest
  @EnumSource(names = {"INNOVATION", "FILTER", "IMPORTANCE", "COMBINED"})
  void aStateHoldsItselfOnly(Selection selection) {
    EideticConfig eidetic =
        new EideticConfig(3, 4, selection, FarPositions.FIXED, 0, false, new Threshold(null, 0.5));
    AttentionConfig attention = new AttentionConfig(2, 1, 4, 5, 3, 4, true, true, 10_000, eidetic);
    LayerCase c =
        new LayerCase(new MixerConfig(new MambaConfig(2, 4, 2, 0), attention), 6, 1, 50, 1);
    try (Scope scope = new Scope();
        Reader reader = new Reader(c.layer(ScalarType.Double), 1)) {
      reader.read(c.input(ScalarType.Double, 50), 50);
      MixerState.Attention past = reader.state.attention();
      EideticMemory.State e = Objects.requireNonNull(past.eidetic);
      List<Owned> held = new ArrayList<>(List.of(e.k, e.v, e.positions, e.scores, e.bias));
      held.add(Objects.requireNonNull(past.convolution));
      held.add(Objects.requireNonNull(e.logTau));
      if (e.history != null) held.add(e.history);
      for (Owned o : held) {
        Tensor t = o.get();
        assertThat(t.storage().nbytes()).isEqualTo(t.numel() * t.element_size());
      }
    }
  }
}
