package org.bmojo.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import org.bmojo.error.BadInput;
import org.bmojo.mixer.MixerState;
import org.bmojo.mixer.Storage;
import org.bytedeco.pytorch.Tensor;

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

  /** Sequences, B. */
  public int batch() {
    return layers.getFirst().batch();
  }

  /**
   * Tokens that all sequences have read.
   *
   * @throws BadInput if they have not read equally many
   */
  public long position() {
    return layers.getFirst().position();
  }

  /** Tokens that sequence {@code row} has read. */
  public long position(int row) {
    return layers.getFirst().position(row);
  }

  /**
   * Copies of some sequences' memories: to fork one, to take one out of a batch.
   *
   * @return the caller's to close
   */
  public ModelState copy(int... rows) {
    return new ModelState(layers.stream().map(layer -> layer.copy(rows)).toList());
  }

  /** Goes on with these sequences only, in this order. */
  public void retain(int... rows) {
    layers.forEach(layer -> layer.retain(rows));
  }

  /**
   * Adds sequences behind the present ones; need not be in step with them.
   *
   * @param more of the same model; unchanged
   */
  public void append(ModelState more) {
    for (int i = 0; i < layers.size(); i++) layers.get(i).append(more.layers.get(i));
  }

  /**
   * Copies a sequence's memory over that of row {@code to}, in place where there is room for it.
   *
   * @param other of the same model; unchanged
   */
  void put(int to, ModelState other, int from) {
    for (int i = 0; i < layers.size(); i++) layers.get(i).put(to, other.layers.get(i), from);
  }

  /** Says that some sequences have read a token more, whoever advanced their tensors. */
  void advance(int... rows) {
    for (MixerState layer : layers) layer.advance(rows);
  }

  /** Tokens that the one of the sequences has read that has read most. */
  long longest() {
    long most = 0;
    for (int row = 0; row < batch(); row++) most = Math.max(most, position(row));
    return most;
  }

  /** Tokens of a sequence that there is room for. */
  long room() {
    return layers.stream().mapToLong(MixerState::room).min().orElse(Long.MAX_VALUE);
  }

  /** Makes room for so many tokens of each sequence. */
  void reserve(long tokens) {
    layers.forEach(layer -> layer.reserve(tokens));
  }

  /** All tensors, each (B, …), as {@code layer.part}; valid until the state is advanced. */
  public Map<String, Tensor> tensors() {
    Map<String, Tensor> all = new LinkedHashMap<>();
    for (int i = 0; i < layers.size(); i++) {
      String layer = i + ".";
      layers.get(i).tensors().forEach((name, tensor) -> all.put(layer + name, tensor));
    }
    return all;
  }

  /**
   * Becomes, a state of one sequence, what {@link #tensors} told of another.
   *
   * @param position tokens that it had read
   * @throws BadInput if they are no state of such a model
   */
  public void fill(Map<String, Tensor> tensors, long position) {
    Map<String, Map<String, Tensor>> byLayer = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> {
      int dot = name.indexOf('.');
      byLayer
          .computeIfAbsent(name.substring(0, Math.max(dot, 0)), _ -> new LinkedHashMap<>())
          .put(name.substring(dot + 1), tensor);
    });
    for (int i = 0; i < layers.size(); i++) {
      layers.get(i).fill(byLayer.getOrDefault(String.valueOf(i), Map.of()), position);
    }
    if (byLayer.size() == layers.size()) return;
    throw new BadInput(
        "a state of " + byLayer.size() + " layers",
        "expected " + layers.size(),
        "Use a memory that this very model made");
  }

  /**
   * Lets the memory of one sequence go on in a store; layers without storage take no notice.
   *
   * @param ofLayer what each layer, counted from 0, sees of it
   */
  public void attach(IntFunction<Storage> ofLayer) {
    for (int i = 0; i < layers.size(); i++) layers.get(i).attach(List.of(ofLayer.apply(i)));
  }

  /** Lets go of all stores. */
  public void detach() {
    layers.forEach(layer -> layer.attach(List.of()));
  }

  /** Hands to the stores what this still holds, since the sequences end here. */
  public void handOverRest() {
    layers.forEach(MixerState::handOverRest);
  }

  /** Bytes of all tensors. */
  public long bytes() {
    return tensors().values().stream().mapToLong(t -> t.numel() * t.element_size()).sum();
  }

  @Override
  public void close() {
    layers.forEach(MixerState::close);
  }
}
