/** Whole models against an independent one, and the presets' sizes. */
@NullMarked
package org.bmojo.model;

import org.jspecify.annotations.NullMarked;
