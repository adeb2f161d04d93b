package org.bmojo.model;

import java.util.List;
import org.bmojo.mixer.MixerState;

/** All that a model remembers of a batch of sequences: one state per layer. */
public final class ModelState implements AutoCloseable {
  private final List<MixerState> layers;

  ModelState(List<MixerState> layers) {
    this.layers = layers;
  }

  /** The layers' states, first to last. */
  public List<MixerState> layers() {
    return layers;
  }

  /** Tokens read so far. */
  public long position() {
    return layers.getFirst().position();
  }

  @Override
  public void close() {
    layers.forEach(MixerState::close);
  }
}
