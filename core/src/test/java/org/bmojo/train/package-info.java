/** The update, the schedule, the loop, and a run that an independent program repeats. */
@NullMarked
package org.bmojo.train;

import org.jspecify.annotations.NullMarked;
