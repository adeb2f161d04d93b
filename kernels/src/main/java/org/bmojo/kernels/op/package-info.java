/**
 * The operations a B'MOJO model is made of, each as one narrow interface: forward, backward and,
 * where decoding needs it, a step for one token. Three rooms implement them with the same names and
 * argument order: {@code reference} (libtorch composition, the truth), {@code cpu} (Vector API) and
 * {@code cuda} (NVRTC). One contract test per operation runs against every room. {@link
 * org.bmojo.kernels.op.TokenStep} alone is no operation but several at once, for one token, and
 * says what stands in for its reference.
 *
 * <p>Shapes: B batch, T tokens, d model width, I state-space channels, N states per channel, H
 * query heads, G key/value heads (H a multiple of G), D head dimension, W window, F fading span, E
 * eidetic slots, C chunk, M chunks touched by a call, K convolution width. Activations are laid out
 * (B, T, …), contiguous. Positions count from 0, absolutely.
 *
 * <p>Types: activations float32 (or bfloat16 where a room says so; float64 in the reference).
 * Decays, states and softmax statistics are float32 even then.
 *
 * <p>Documents: a row may hold several, one after another, that must not know of each other. What
 * looks back then takes {@code begin} (B, T), int32: for every token the one its document begins
 * with, counted from the call's first token, negative where that is in the past. It never decreases
 * along a row, and a token with {@code begin[b][t] = t} begins a document. What is older than
 * {@code begin} does not exist for a token: recurrences begin from nothing, convolutions read
 * zeros, no key is seen, and no gradient passes. A null {@code begin} is one document, however old,
 * and costs nothing. A step's one token begins none.
 *
 * <p>Memory: results belong to the caller's innermost {@link org.bmojo.kernels.torch.Scope};
 * temporaries never leave the call. Nothing an operation is given is changed, except the states
 * that a step advances.
 */
@NullMarked
package org.bmojo.kernels.op;

import org.jspecify.annotations.NullMarked;
