@NullMarked
package org.bmojo.serve;

import org.jspecify.annotations.NullMarked;
