@NullMarked
package org.bmojo.surgery;

import org.jspecify.annotations.NullMarked;
