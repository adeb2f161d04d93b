/**
 * docs/results/language.md from what {@code runs/language} left: {@link
 * org.bmojo.bench.language.LanguageReport} draws the plots and fills in the tables.
 */
@NullMarked
package org.bmojo.bench.language;

import org.jspecify.annotations.NullMarked;
