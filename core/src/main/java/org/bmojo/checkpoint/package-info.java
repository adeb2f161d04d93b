/**
 * Weights ↔ files. {@link org.bmojo.checkpoint.Safetensors} reads and writes the safetensors
 * format: eight bytes of header length, a JSON header, then the tensors' bytes without a gap.
 *
 * <pre>
 *   0        8                                   8 + n
 *   | n: u64 | {"w":{"dtype":"F32","shape":[2,3],  | 24 bytes of w | …
 *            |   "data_offsets":[0,24]}, …}        |
 * </pre>
 *
 * <p>A file is mapped, not read: a tensor is a view of the mapping, and its pages come from the
 * disk when they are first touched. Everything the header claims is checked before any tensor is
 * made.
 */
@NullMarked
package org.bmojo.checkpoint;

import org.jspecify.annotations.NullMarked;
