// Kernels of one token follow each other faster than a launch takes, so each is launched while the
// one before it still runs (programmatic dependent launch) and says itself when it needs what that
// one wrote. Until then it may touch weights only; and only these are __restrict__, since the
// compiler may read what nobody else writes as early as it likes.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define PIPELINED 1
#else
#define PIPELINED 0
#endif

// Lets the next kernel begin, then waits for the one before. Every kernel that is launched early
// calls this once, in all threads, before it reads or writes anything but weights.
__device__ __forceinline__ void wait_for_previous() {
#if PIPELINED
  asm volatile("griddepcontrol.launch_dependents;");
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Asks for so many bytes, a multiple of 16 and so aligned, to be in the second-level cache soon.
__device__ __forceinline__ void prefetch(const void* from, unsigned bytes) {
#if PIPELINED
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
#endif
}
