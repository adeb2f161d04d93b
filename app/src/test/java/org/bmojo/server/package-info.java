@NullMarked
package org.bmojo.server;

import org.jspecify.annotations.NullMarked;
