/**
 * Gradients. A {@link org.bmojo.tape.Tape} notes each operation as it runs forward, together with
 * what its backward pass needs, and plays the notes in reverse. There are no hidden caches: an
 * operation names the tensors it keeps, and they are freed as soon as its backward has run.
 *
 * <p>A new operation is one static method:
 *
 * <pre>{@code
 * static Var square(Tape tape, Var x) {
 *   Tensor kept = x.value();                                        // what backward reads
 *   return tape.record(
 *       kept.square(), inputs(x), keeping(kept),
 *       dy -> x.addGradient(dy.mul(kept).mul(scalar(2))));
 * }
 * }</pre>
 *
 * <p>Or let libtorch differentiate it: {@link org.bmojo.tape.TorchFunction}.
 */
@NullMarked
package org.bmojo.tape;

import org.jspecify.annotations.NullMarked;
