/**
 * Token ids → more token ids: {@link org.bmojo.generate.Generator} reads a prompt in chunks, then
 * goes on one step at a time in constant memory; {@link org.bmojo.generate.Sampler} chooses, as
 * {@link org.bmojo.generate.Decoding} says; {@link org.bmojo.generate.TextGenerator} is the same
 * with text at both ends.
 *
 * <pre>
 *   prompt ids ── chunks of 512 ──▶ state, logits ──▶ Sampler ──▶ id ──▶ listener
 *                                     ▲                           │
 *                                     └───────── step ────────────┘
 * </pre>
 */
@NullMarked
package org.bmojo.generate;

import org.jspecify.annotations.NullMarked;
