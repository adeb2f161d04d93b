@NullMarked
package org.bmojo.parallel;

import org.jspecify.annotations.NullMarked;
