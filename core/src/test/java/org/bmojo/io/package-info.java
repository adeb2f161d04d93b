@NullMarked
package org.bmojo.io;

import org.jspecify.annotations.NullMarked;
