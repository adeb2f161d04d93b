@NullMarked
package org.bmojo.foreign;

import org.jspecify.annotations.NullMarked;
