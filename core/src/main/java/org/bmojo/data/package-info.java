/**
 * Text → documents → tokens on disk → batches.
 *
 * <pre>
 *   TextSource        documents, one at a time: file, folder, zip, gzip, JSONL, the JDK's own source
 *      ↓ Tokenizer, Split (by the hash of a document's name), order shuffled by the seed
 *   TokenShards       train-00000.tokens …, validation-00000.tokens …: mapped, with checksums
 *      ↓ windows of T + 1 tokens, each once an epoch, in an order computed from the seed
 *   BatchSource       inputs and targets, (B, T) each; continues from any position
 * </pre>
 *
 * <p>Example: the documents {@code "ab"}, {@code "c"} become the tokens {@code c ⏎ a b ⏎}, where ⏎
 * ends a document. With T = 2 the windows are {@code c ⏎ a} and {@code a b ⏎}: inputs {@code c ⏎}
 * with targets {@code ⏎ a}, inputs {@code a b} with targets {@code b ⏎}. Every token but the first
 * is a target once an epoch.
 *
 * <p>Documents of one row may know of each other, as above, or not: batches then tell where each
 * begins. It begins with the ⏎ of the one before, which is what a text is generated from, so that
 * no token is predicted from another document: in {@code a b ⏎ c} the last two are one, and of it
 * {@code c} is predicted from ⏎ alone.
 *
 * <p>Start with {@link org.bmojo.data.TokenShards#write} and {@link org.bmojo.data.TokenBatches}.
 */
@NullMarked
package org.bmojo.data;

import org.jspecify.annotations.NullMarked;
