"""How a clip longer than a motion was learnt with is made: piece after piece, each going on from the last frames there
are. Plain integers, no tensors.
"""

from typing import NamedTuple


class Piece(NamedTuple):
    """One run of the sampler: `size` frames from `start` on, of which the first `known` are there already."""

    start: int
    size: int
    known: int
    length: int  # of the whole clip

    @property
    def frames(self) -> list[int]:
        """Its frames in the clip; what lies behind the clip's end is like the last frame, and left out in the end."""
        return [min(frame, self.length - 1) for frame in range(self.start, self.start + self.size)]

    @property
    def around(self) -> list[int]:
        """The same, with the clip's first frames behind its end: for noise, which no two frames may have in common."""
        return [frame % self.length for frame in range(self.start, self.start + self.size)]

    @property
    def new(self) -> slice:
        """The frames of the clip that it makes."""
        return slice(self.start + self.known, min(self.start + self.size, self.length))

    @property
    def is_last(self) -> bool:
        """Whether it ends where the clip does."""
        return self.start + self.size == self.length

    @property
    def made(self) -> slice:
        """Where they lie in it."""
        return slice(self.known, min(self.size, self.length - self.start))


def pieces(length: int, window: int, overlap: int) -> list[Piece]:
    """Pieces of `window` frames, each of which begins with the last `overlap` frames there are; the first knows one.

    All are as long as the window, as the motion was learnt, so a longer clip begins like a shorter one. A clip no
    longer than the window is a single piece. Raises ValueError for an overlap of nothing or of all.
    """
    if not 1 <= overlap < window:
        raise ValueError(f"{overlap} known frames of {window} leave no piece to make: take 1 to {window - 1}.")
    plan = [Piece(0, min(length, window), 1, length)]
    while plan[-1].new.stop < length:
        there = plan[-1].new.stop
        plan.append(Piece(there - overlap, window, overlap, length))
    return plan


def even_pieces(length: int, window: int, overlap: int) -> list[Piece]:
    """As few such pieces, all about as long as each other, the last of which ends where the clip does: for a clip whose
    last frame is given.
    """
    many, made = len(pieces(length, window, overlap)), length - overlap
    ends = [overlap + made * (i + 1) // many for i in range(many)]
    begins = [0, *(end - overlap for end in ends[:-1])]
    return [Piece(begin, end - begin, overlap if begin else 1, length) for begin, end in zip(begins, ends, strict=True)]
