@NullMarked
package org.bmojo.langchain4j;

import org.jspecify.annotations.NullMarked;
