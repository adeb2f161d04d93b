@NullMarked
package org.bmojo.checkpoint;

import org.jspecify.annotations.NullMarked;
