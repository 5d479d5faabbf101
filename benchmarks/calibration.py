"""How fast the machine is at this moment: printed beside every absolute figure, so that figures can be compared."""

import time

import torch

_SIZE = 512
_SECONDS = 0.5
_BATCH = 4


def matmul_gflops() -> float:
    """Return the speed of 512 x 512 float32 matrix products on the CPU (10^9 operations a second).

    The products run for half a second with the threads that torch is set to; the fastest batch counts, so that short
    interruptions by other processes do not.
    """
    one, other, product = torch.ones(_SIZE, _SIZE), torch.ones(_SIZE, _SIZE), torch.empty(_SIZE, _SIZE)
    torch.mm(one, other, out=product)
    begun, fastest = time.perf_counter(), float("inf")
    while time.perf_counter() - begun < _SECONDS:
        before = time.perf_counter()
        for _ in range(_BATCH):
            torch.mm(one, other, out=product)
        fastest = min(fastest, time.perf_counter() - before)
    return _BATCH * 2 * _SIZE**3 / fastest / 1e9


if __name__ == "__main__":
    print(f"{matmul_gflops():.1f} GFLOP/s in float32 matrix products, {torch.get_num_threads()} threads")
