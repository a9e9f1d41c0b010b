"""The pieces of a clip longer than its motion was learnt with."""

import pytest
from few_shot_motion.samplers.pieces import Piece, even_pieces, pieces


@pytest.mark.parametrize("length", [1, 2, 15, 16])
def test_what_is_no_longer_is_one_piece(length):
    (piece,) = pieces(length, 16, 4)
    assert piece == Piece(0, length, 1, length) and piece.frames == piece.around == [*range(length)]
    assert piece.new == piece.made == slice(1, length)


@pytest.mark.parametrize("overlap", [1, 4, 15])
@pytest.mark.parametrize("length", [17, 28, 29, 31, 64])
def test_each_goes_on_from_what_is_there(length, overlap):
    there, plan, clip = 1, pieces(length, 16, overlap), [*range(length)]
    for piece in plan:
        assert len(piece.frames) == len(piece.around) == 16 and piece.known == (1 if piece is plan[0] else overlap)
        assert piece.new.start == there == piece.start + piece.known
        assert piece.frames[piece.made] == piece.around[piece.made] == clip[piece.new] != []
        assert len(set(piece.around)) == 16, "noise of its own for every frame"
        there = piece.new.stop
    assert there == length
    longer = pieces(length + 40, 16, overlap)
    assert [one.start for one in longer[: len(plan)]] == [one.start for one in plan]


def test_behind_the_end_the_last_frame_is_repeated():
    last = pieces(18, 16, 1)[-1]
    assert last.frames == [15, 16, 17] + [17] * 13 and last.around[3:] == [*range(13)]
    assert (last.new, last.made) == (slice(16, 18), slice(1, 3))


@pytest.mark.parametrize("overlap", [0, 16])
def test_no_piece_without_known_and_new_frames(overlap):
    with pytest.raises(ValueError, match="leave no piece to make: take 1 to 15"):
        pieces(64, 16, overlap)


@pytest.mark.parametrize("overlap", [1, 3])
@pytest.mark.parametrize("length", [5, 17, 18, 31, 32, 64, 65])
def test_pieces_of_a_clip_with_an_end_are_as_few_even_and_end_where_it_does(length, overlap):
    plan = even_pieces(length, 16, overlap)
    assert len(plan) == len(pieces(length, 16, overlap))
    assert plan[0].start == 0 and plan[0].known == 1 and plan[-1].is_last and not any(at.is_last for at in plan[:-1])
    made = [frame for piece in plan for frame in range(length)[piece.new]]
    assert made == [*range(1, length)]
    assert all(piece.size <= 16 and piece.known == overlap for piece in plan[1:])
    fresh = [piece.size - overlap for piece in plan]
    assert max(fresh) - min(fresh) <= 1
    assert all(piece.frames == piece.around for piece in plan)
