/** The one exception type that means "the input is at fault, not the program". */
@NullMarked
package org.bmojo.error;

import org.jspecify.annotations.NullMarked;
