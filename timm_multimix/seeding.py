"""Seeds as pure functions of integers, so that no generator's state ever needs saving."""

_MASK = (1 << 64) - 1


def _splitmix(state: int) -> int:
    """One output of SplitMix64 (Steele, Lea, Flood 2014) for a 64-bit state."""
    state = (state + 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


def derive_seed(*parts: int) -> int:
    """A well-mixed 63-bit seed from integers, sensitive to their order and their number."""
    state = len(parts)
    for part in parts:
        state = _splitmix(state ^ (part & _MASK))
    return state >> 1
