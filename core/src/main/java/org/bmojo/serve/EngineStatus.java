package org.bmojo.serve;

import java.util.Map;
import org.bmojo.serve.Generation.Reason;

/**
 * What an {@link Engine} is doing and has done.
 *
 * @param waiting sequences in the queue
 * @param reading sequences whose prompt is being read
 * @param answering sequences in the batch
 * @param stateBytes native memory of all their states
 * @param promptTokens read since the start
 * @param tokens chosen since the start
 * @param steps taken since the start
 * @param busyNanos time spent reading and stepping
 * @param ended requests, by how they ended
 * @param refused requests that found the queue full
 */
public record EngineStatus(
    int waiting,
    int reading,
    int answering,
    long stateBytes,
    long promptTokens,
    long tokens,
    long steps,
    long busyNanos,
    Map<Reason, Long> ended,
    long refused) {}
