/**
 * The sequence-mixing layer: one module, four memories.
 *
 * <pre>
 *            x (B, T, d)
 *            ├─ ssm ──────────── y ──┬─ k′, v′ ─ fading keys: what the state made of W … W+F tokens ago
 *            │                       └─ predicts the next x: innovation e = how wrong it was
 *            ├─ x + silu(conv x) ─┬─ q
 *            │                    └─ k, v ─┬─ window keys: the last W tokens, verbatim
 *            │                             ├─ eidetic keys: the E tokens with the highest e, verbatim
 *            │                             └─ stored keys: R of the others, those most like recent q
 *            └────────────────── one softmax over all four ─ o ─→ (B, T, d)
 * </pre>
 *
 * <p>Worked example, W = F = E = C = 2, query 8 (chunk 4): window {7, 8}; fading {5, 6}, read from
 * the state's outputs y5 and y6; eligible for eidetic memory are j ≤ 4·2 − 2 = 6, so with scores .1
 * .9 .2 .2 .8 .3 .4 the set is {1, 4}. Tokens 0, 2 and 3 survive only in the state, and in storage
 * where there is one.
 *
 * <p>Stored keys come from where tokens 0, 2 and 3 went: the layer's own past, or a {@link
 * org.bmojo.mixer.Storage} outside of it, which is written to and asked without waiting.
 *
 * <p>A row may hold several documents that know nothing of each other ({@link
 * org.bmojo.mixer.Packing}): states begin from nothing and windows end where one begins. Each is as
 * if alone but for where chunks end, which is the row's affair: one that begins inside a chunk has
 * its eidetic sets refreshed up to C − 1 tokens earlier than its own count would have it, and none
 * before the next chunk. Positions are the row's as well; rotary embeddings see only distances, so
 * that nothing but a score made of the position itself ({@code random}, {@code stride}) tells.
 *
 * <p>Start reading at {@link org.bmojo.mixer.BMojo}, beside {@link org.bmojo.mixer.MixerConfig},
 * which says which parts are on. To change the fading memory, write another {@link
 * org.bmojo.mixer.Ssm}; to change who is remembered, another scorer.
 */
@NullMarked
package org.bmojo.mixer;

import org.jspecify.annotations.NullMarked;
