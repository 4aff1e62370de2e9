# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import torch

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.reading import Piece, ReadBuffer, in_time_order


def _piece(*names: int) -> Piece:
    """Tokens whose keys and values tell their names."""
    named = torch.tensor(names)
    keys = named[None, :, None].expand(2, -1, 4).float()
    return Piece(keys, -keys, named)


def test_pieces_of_several_tiers_are_read_in_the_order_of_their_names() -> None:
    joined, order = in_time_order([_piece(4, 5, 9), _piece(), _piece(-3, 1, 7), _piece(6)])
    assert joined.names.tolist() == [-3, 1, 4, 5, 6, 7, 9]
    assert joined.keys[1, :, 3].tolist() == joined.names.tolist()
    assert joined.values[0, :, 0].tolist() == (-joined.names).tolist()
    assert order is not None
    assert torch.tensor([4, 5, 9, -3, 1, 7, 6])[order].tolist() == joined.names.tolist()


def test_one_piece_is_in_order_as_it_is() -> None:
    piece = _piece(1, 2)
    joined, order = in_time_order([piece])
    assert joined is piece and order is None


def test_picked_tokens_are_copies_in_the_order_asked_for() -> None:
    piece = _piece(1, 2, 3)
    picked = piece.picked(torch.tensor([2, 0]))
    assert len(picked) == 2 and picked.names.tolist() == [3, 1]
    assert picked.keys[0, :, 0].tolist() == [3.0, 1.0]
    assert picked.values[1, :, 2].tolist() == [-3.0, -1.0]
    piece.names.zero_()
    assert picked.names.tolist() == [3, 1]


def test_a_span_is_a_view_of_a_run_of_tokens() -> None:
    piece = _piece(1, 2, 3, 4)
    span = piece.span(1, 3)
    assert span.names.tolist() == span.keys[0, :, 0].tolist() == [2, 3]
    assert span.values[1, :, 3].tolist() == [-2, -3]
    piece.names.zero_()
    assert span.names.tolist() == [0, 0]


def test_a_buffer_grows_by_half_at_least_and_never_shrinks(shape: CacheShape) -> None:
    buffer = ReadBuffer(shape, layers=2, device=torch.device('cpu'), dtype=torch.bfloat16)
    assert buffer.nbytes == 0
    rooms = []
    for tokens in (10, 11, 12, 100, 5):
        buffer.reserve(tokens)
        rooms.append(buffer.keys.shape[2])
    assert rooms == [10, 15, 15, 100, 100]
    assert buffer.keys.shape == buffer.values.shape == (2, 2, 100, 8)
    assert buffer.keys.dtype == torch.bfloat16
    assert buffer.nbytes == 100 * shape.token_bytes(2)


def test_room_enough_is_not_made_again(shape: CacheShape) -> None:
    buffer = ReadBuffer(shape, layers=1, device=torch.device('cpu'), dtype=torch.float32)
    buffer.reserve(20)
    places = buffer.keys.data_ptr(), buffer.values.data_ptr()
    buffer.reserve(20)
    buffer.reserve(3)
    assert (buffer.keys.data_ptr(), buffer.values.data_ptr()) == places
