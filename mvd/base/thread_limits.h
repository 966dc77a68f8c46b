// How many threads a process can have, and how the idle ones wait.
#pragma once

namespace mvd {

// No loop uses more: nobody asks for more in earnest, and OpenMP ends the program where it cannot start one.
inline constexpr int kMaxThreads = 1024;

// How many of `wanted` threads this process should have at once, the caller's among them: at least 1, at most
// four per processor (16 where those are fewer) and kMaxThreads. Limits on processes and on memory may leave
// fewer. Every parallel loop keeps to it.
int StartableThreads(int wanted);

// Idle threads of an OpenMP pool spin for milliseconds; beside other programs they take the processor from
// the threads they wait for. OpenMP reads from the environment how to wait before main begins, so this starts
// the program once more in the same process, with a spin of microseconds. Does nothing where the user has set
// OMP_WAIT_POLICY or GOMP_SPINCOUNT, or where the program cannot be started again. Call it first in main.
void WaitBriefly(char** argv);

}  // namespace mvd
