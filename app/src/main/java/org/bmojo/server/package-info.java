/**
 * A model over HTTP, in the form of OpenAI's API.
 *
 * <pre>
 *   socket (Helidon, a virtual thread each) ─▶ Server ─▶ Gate ─▶ route ─▶ Completions ─▶ TextEngine
 *                                               errors, ids, log,         Sessions
 *                                               metrics                   page, health
 * </pre>
 *
 * Start at {@link org.bmojo.server.Server}: everything enters and leaves through its one handler,
 * so that every error is JSON and every request is in the log. A request's body becomes an {@code
 * Ask}, strictly: a field that nobody knows is refused. What is written back is a {@code Format}.
 *
 * <p>A <em>session</em> is a memory with a name. A completion may go on from one ({@code session})
 * and leave another behind ({@code save_session}); neither changes what it started from.
 */
@NullMarked
package org.bmojo.server;

import org.jspecify.annotations.NullMarked;
