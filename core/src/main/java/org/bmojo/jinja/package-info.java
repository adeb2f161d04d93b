/**
 * As much of the Jinja template language as the chat templates in {@code tokenizer_config.json}
 * use, and no way from a template to anything outside it.
 *
 * <pre>
 *   source ── Lexer ──▶ tokens ── Parser ──▶ Node, Expression ── Interpreter ──▶ text
 * </pre>
 *
 * Values are {@link java.lang.String}, {@link java.lang.Long}, {@link java.lang.Double}, {@link
 * java.lang.Boolean}, lists, maps, {@link org.bmojo.jinja.Absent} for none and undefined, and
 * functions. Start at {@link org.bmojo.jinja.Template}.
 */
@NullMarked
package org.bmojo.jinja;

import org.jspecify.annotations.NullMarked;
