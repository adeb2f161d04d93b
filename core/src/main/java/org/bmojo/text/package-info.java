/**
 * Text ↔ token ids. {@link org.bmojo.text.Tokenizer#load} reads the {@code tokenizer.json} beside
 * any model's weights; {@link org.bmojo.text.ByteTokenizer} needs no file and is what we train with
 * by default. Models and generators know ids only.
 */
@NullMarked
package org.bmojo.text;

import org.jspecify.annotations.NullMarked;
