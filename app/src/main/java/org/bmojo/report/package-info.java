/**
 * Runs as pages: {@link org.bmojo.report.Page} collects paragraphs, tables, charts and texts into
 * one HTML file that needs nothing from anywhere; {@link org.bmojo.report.Chart} draws.
 */
@NullMarked
package org.bmojo.report;

import org.jspecify.annotations.NullMarked;
