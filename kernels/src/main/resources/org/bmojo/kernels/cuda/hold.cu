// Keeps a stream busy for some time, so that what is queued behind it can run without a pause.
extern "C" __global__ void hold(long nanoseconds) {
  unsigned long long start, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (now - start < (unsigned long long)nanoseconds);
}
