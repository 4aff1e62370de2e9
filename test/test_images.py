# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every encoding becomes the same picture; every buffer that does not fit is refused by name."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from livevlm_ros.bit_depth import BitDepth
from livevlm_ros.engine.messages import BadFrame
from livevlm_ros.images import ENCODINGS, republish_command, to_rgb

COLORS = np.array([[[200, 30, 40], [20, 180, 60]], [[30, 60, 220], [230, 220, 40]]], np.uint8)


def picture(height: int = 24, width: int = 32) -> np.ndarray:
    """Four flat colour quarters, RGB uint8 [height, width, 3]."""
    return cv2.resize(COLORS, (width, height), interpolation=cv2.INTER_NEAREST)


def planes_yuv(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """BT.601 planes Y, U, V at full resolution, uint8 [height, width] each."""
    height, width = rgb.shape[:2]
    doubled = rgb.repeat(2, axis=0).repeat(2, axis=1)
    i420 = cv2.cvtColor(doubled, cv2.COLOR_RGB2YUV_I420)
    y = i420[: 2 * height][::2, ::2]
    u, v = i420[2 * height :].reshape(2, height, width)
    return y, u, v


def packed(rgb: np.ndarray, encoding: str) -> np.ndarray:
    """Encode a picture by the definition of the encoding, uint8 or uint16 [rows, values]."""
    height = rgb.shape[0]
    order = {'rgb': [0, 1, 2], 'bgr': [2, 1, 0]}
    if encoding.startswith('bayer'):
        mosaic = np.empty(rgb.shape[:2], np.uint8)
        for cell, name in enumerate(encoding.split('_')[1][:4]):
            row, column = divmod(cell, 2)
            mosaic[row::2, column::2] = rgb[row::2, column::2, 'rgb'.index(name)]
        image = mosaic
    elif encoding.startswith('mono') or encoding == '8UC1':
        image = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    elif encoding.startswith(('nv', 'uy', 'yu')):
        y, u, v = planes_yuv(rgb)
        chroma = {'nv21': (v, u)}.get(encoding, (u, v))
        if encoding == 'nv24':
            return np.vstack([y, np.dstack(chroma).reshape(2 * height, -1)])
        if encoding.startswith('nv'):
            half = np.dstack(chroma)[::2, ::2].reshape(height // 2, -1)
            return np.vstack([y, half])
        shared = np.dstack([u[:, ::2], v[:, ::2]]).reshape(y.shape)
        pair = (shared, y) if encoding in ('yuv422', 'uyvy') else (y, shared)
        return np.dstack(pair).reshape(height, -1)
    else:
        name = {'8UC3': 'bgr8', '8UC4': 'bgra8'}.get(encoding, encoding)
        image = rgb[..., order[name[:3]]]
        if 'a' in name:
            image = np.dstack([image, np.full(rgb.shape[:2], 7, np.uint8)])
    if encoding.endswith('16'):
        image = image.astype(np.uint16) << 8 | 0x5A
    return image.reshape(height, -1)


def message(
    encoding: str, *, padding: int = 0, bigendian: bool = False, rgb: np.ndarray | None = None
) -> SimpleNamespace:
    """Make a `sensor_msgs/Image` look-alike."""
    rgb = picture() if rgb is None else rgb
    height, width = rgb.shape[:2]
    rows = packed(rgb, encoding)
    if bigendian:
        rows = rows.byteswap()
    rows = np.ascontiguousarray(rows).view(np.uint8)
    if encoding == 'nv24':
        luma = np.pad(rows[:height], ((0, 0), (0, padding)))
        chroma = np.pad(rows[height:].reshape(height, -1), ((0, 0), (0, 2 * padding)))
        rows = np.vstack([luma, chroma.reshape(2 * height, -1)])
    else:
        rows = np.pad(rows, ((0, 0), (0, padding)))
    return SimpleNamespace(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=bigendian,
        step=rows.shape[1],
        data=rows.tobytes(),
    )


def expected(encoding: str) -> np.ndarray:
    """Picture the encoding can carry."""
    if encoding.startswith('mono') or encoding == '8UC1':
        return cv2.cvtColor(cv2.cvtColor(picture(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return picture()


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_every_encoding_gives_the_same_picture(encoding: str, padding: int) -> None:
    rgb = to_rgb(message(encoding, padding=padding))
    assert rgb.shape == (24, 32, 3) and rgb.dtype == np.uint8 and rgb.flags.c_contiguous
    inner = np.s_[2:-2, 2:-2] if encoding.startswith('bayer') else np.s_[:, :]
    close = np.abs(rgb[inner].astype(int) - expected(encoding)[inner]) <= 6
    # A mosaic blurs the borders between the four colours, nothing else may.
    assert close.mean() > 0.75 if encoding.startswith('bayer') else close.all()
    assert (np.abs(rgb[6, 8].astype(int) - expected(encoding)[6, 8]) <= 6).all()


@pytest.mark.parametrize('encoding', [name for name in ENCODINGS if name.endswith('16')])
def test_big_endian_values_are_swapped(encoding: str) -> None:
    swapped = to_rgb(message(encoding, bigendian=True))
    np.testing.assert_array_equal(swapped, to_rgb(message(encoding)))


def test_an_odd_number_of_padding_bytes_is_no_obstacle_for_16_bit() -> None:
    np.testing.assert_array_equal(to_rgb(message('rgb16', padding=1)), picture())


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        ({'encoding': '8SC1'}, "'8SC1'.*expected one of rgb8"),
        ({'encoding': ''}, "''"),
        ({'encoding': 'RGB8'}, "'RGB8'.*expected one of rgb8"),
        ({'encoding': 'i420'}, "'i420'.*expected one of rgb8"),
        ({'width': 0}, '0x24.*at least 1x1'),
        ({'height': 0}, '32x0'),
        ({'step': 95, 'data': b'\0' * 2305}, 'step of 95.*at least 96'),
        ({'step': 0, 'data': b'\0' * 2400}, 'step of 0.*at least 96'),
        ({'data': b'\0' * 2303}, '2303.*expected 2304'),
        ({'data': b''}, 'data of 0 bytes'),
    ],
)
def test_a_raw_image_that_does_not_fit_its_header_is_refused(change: dict, says: str) -> None:
    broken = message('rgb8')
    vars(broken).update(change)
    with pytest.raises(BadFrame, match=says):
        to_rgb(broken)


@pytest.mark.parametrize('step', [0, 4, 32])
@pytest.mark.parametrize('encoding', ['rgb8', 'mono16', 'nv12'])
def test_a_wrong_step_is_no_obstacle_where_the_size_leaves_no_doubt(
    encoding: str, step: int
) -> None:
    image = message(encoding)
    image.step = step
    np.testing.assert_array_equal(to_rgb(image), to_rgb(message(encoding)))


@pytest.mark.parametrize('bits', [10, 12, 14, 16])
@pytest.mark.parametrize('encoding', ['mono16', 'rgb16', 'bayer_grbg16'])
def test_a_sensor_of_fewer_bits_is_as_bright_as_one_of_16(encoding: str, bits: int) -> None:
    dim = message(encoding)
    values = np.frombuffer(dim.data, np.uint16) >> (16 - bits)
    dim.data = values.tobytes()
    np.testing.assert_array_equal(to_rgb(dim), to_rgb(message(encoding)))


def test_bits_are_those_of_the_camera() -> None:
    depth, dark = BitDepth(), message('mono16')
    dark.data = bytes(len(dark.data))
    to_rgb(message('mono16'), depth)
    assert depth.bits == 16
    dark.data = (np.frombuffer(dark.data, np.uint16) + 1023).tobytes()
    assert to_rgb(dark).max() == 255
    assert to_rgb(dark, depth).max() == 3


@pytest.mark.parametrize('bits', [10, 12, 14, 16])
def test_a_16_bit_png_is_as_bright_as_its_bits_say(bits: int) -> None:
    grey = np.full((4, 6), 200 << (bits - 8), np.uint16)
    for image in (grey, np.dstack([grey] * 3)):
        data = cv2.imencode('.png', image)[1].tobytes()
        rgb = to_rgb(SimpleNamespace(format='mono16; png compressed ', data=data))
        assert set(np.unique(rgb)) == {200}


@pytest.mark.parametrize('name', ['encoding', 'format'])
def test_an_endless_name_is_not_repeated(name: str) -> None:
    image = SimpleNamespace(**{name: 'x' * 10**6, 'data': b'', 'height': 1, 'width': 1})
    with pytest.raises(BadFrame) as refused:
        to_rgb(image)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize('encoding', ['nv12', 'nv21', 'uyvy', 'yuyv'])
def test_odd_sizes_are_refused_where_chroma_is_shared(encoding: str) -> None:
    odd = SimpleNamespace(
        height=3, width=5, encoding=encoding, is_bigendian=0, step=10, data=bytes(100)
    )
    with pytest.raises(BadFrame, match='5x3.*even'):
        to_rgb(odd)


def test_nv12_is_longer_than_step_times_height() -> None:
    short = message('nv12')
    short.data = short.data[: short.step * short.height]
    with pytest.raises(BadFrame, match='expected 1152'):
        to_rgb(short)


def compressed(extension: str, rgb: np.ndarray | None = None) -> SimpleNamespace:
    """Make a `sensor_msgs/CompressedImage` look-alike."""
    image = picture() if rgb is None else rgb
    data = cv2.imencode(extension, image[..., ::-1])[1].tobytes()
    return SimpleNamespace(format=f'rgb8; {extension[1:]} compressed bgr8', data=data)


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
def test_compressed_images_decode_in_rgb_order(extension: str) -> None:
    rgb = to_rgb(compressed(extension))
    assert (np.abs(rgb[6, 8].astype(int) - picture()[6, 8]) <= 6).all()


def transported(source: str, codec: str, order: str) -> SimpleNamespace:
    """
    Make what compressed_image_transport publishes for a raw image.

    :param source: the encoding of the raw image
    :param order: what it converts the image to before it hands it to OpenCV; '' leaves it
    """
    rgb = picture()
    image = packed(rgb, order or source).reshape(*rgb.shape[:2], -1)
    data = cv2.imencode(f'.{codec}', image)[1].tobytes()
    return SimpleNamespace(format=f'{source}; {codec} compressed {order}', data=data)


@pytest.mark.parametrize(
    ('source', 'codec', 'order'),
    [
        *[(source, 'jpeg', 'bgr8') for source in ('rgb8', 'bgr8', 'rgba8', 'bgr16', 'yuv422')],
        *[(source, 'jpeg', 'rgb8') for source in ('rgb8', 'bgr8', 'bgra8')],  # until 2012
        *[
            (source, 'jpeg', 'mono8')
            for source in ('mono8', 'mono16', 'bayer_rggb8', 'yuv422_yuy2')
        ],
        *[(source, 'png', 'bgr8') for source in ('rgb8', 'bgr8', 'rgba8', 'yuv422')],
        *[(source, 'png', 'bgr16') for source in ('rgb16', 'bgra16')],
        ('rgb8', 'png', 'rgb8'),  # until 2012
        ('rgb16', 'png', 'rgb16'),
        *[(source, 'png', '') for source in ('mono8', 'mono16', 'bayer_grbg8', 'bayer_bggr16')],
    ],
)
def test_every_form_of_compressed_image_transport_gives_the_same_picture(
    source: str, codec: str, order: str
) -> None:
    wanted = expected(order or source)[6, 8].astype(int)
    rgb = to_rgb(transported(source, codec, order))
    assert rgb.shape == (24, 32, 3) and rgb.dtype == np.uint8 and rgb.flags.c_contiguous
    assert (np.abs(rgb[6, 8] - wanted) <= 6).all()


@pytest.mark.parametrize('form', ['jpeg', 'jpg', 'png', '', 'rgb8; jpeg', 'bgr8; jpeg', 'rgb8'])
def test_a_format_without_order_is_an_ordinary_file(form: str) -> None:
    plain = compressed('.png')
    plain.format = form
    np.testing.assert_array_equal(to_rgb(plain), picture())


def test_a_grey_16_bit_png_decodes_to_three_channels() -> None:
    data = cv2.imencode('.png', np.full((4, 6), 0x8000, np.uint16))[1].tobytes()
    rgb = to_rgb(SimpleNamespace(format='mono16; png compressed ', data=data))
    assert rgb.shape == (4, 6, 3) and set(np.unique(rgb)) == {128}


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1', '64FC1'])
def test_depth_is_refused_by_name_with_what_to_do(encoding: str) -> None:
    image = message('rgb8')
    image.encoding = encoding
    with pytest.raises(BadFrame, match=f"'{encoding}' is depth.*colour image.*mono16"):
        to_rgb(image)


@pytest.mark.parametrize(
    'form', ['16UC1; compressedDepth png', '16UC1; png compressed ', '32FC1; tiff compressed ']
)
def test_depth_is_refused(form: str) -> None:
    data = cv2.imencode('.png', np.full((4, 6), 0x8000, np.uint16))[1].tobytes()
    with pytest.raises(BadFrame, match=f"'{form}' is depth.*colour image"):
        to_rgb(SimpleNamespace(format=form, data=data))


def test_numbers_that_are_no_picture_are_refused() -> None:
    form = '16UC3; png compressed '
    with pytest.raises(BadFrame, match=f"'{form}' is not a colour or grey picture"):
        to_rgb(SimpleNamespace(format=form, data=compressed('.png').data))


@pytest.mark.parametrize('form', ['h264', 'H.265', 'hevc', 'bgr8; av1', 'x264', 'ffmpeg', 'vp9'])
def test_a_packet_of_a_video_is_refused_with_the_command_that_helps(form: str) -> None:
    with pytest.raises(BadFrame, match=f"'{form}' is a packet of a video") as refused:
        to_rgb(SimpleNamespace(format=form, data=b'\0\0\0\1g'))
    assert republish_command('TOPIC', 'ffmpeg') in str(refused.value)


def test_the_command_that_helps_decodes_beside_the_topic() -> None:
    command = republish_command('/cam/image', 'ffmpeg')
    assert '-r in/ffmpeg:=/cam/image/ffmpeg -r out:=/cam/image_decoded' in command


def jpeg_turned(orientation: int) -> SimpleNamespace:
    """Make a jpeg whose EXIF says how it must be turned."""
    photo = compressed('.jpg')
    tag = bytes.fromhex('0112000300000001') + orientation.to_bytes(2, 'big') + b'\0\0'
    block = b'Exif\0\0MM\0*\0\0\0\x08\0\1' + tag + bytes(4)
    segment = b'\xff\xe1' + (len(block) + 2).to_bytes(2, 'big') + block
    photo.data = photo.data[:2] + segment + photo.data[2:]
    return photo


@pytest.mark.parametrize(
    ('orientation', 'turns'),
    [(1, 0), (3, 2), (6, 3), (8, 1)],
    ids=['as is', '180', 'right', 'left'],
)
def test_a_picture_is_turned_as_its_exif_says(orientation: int, turns: int) -> None:
    turned = to_rgb(jpeg_turned(orientation))
    np.testing.assert_array_equal(turned, np.rot90(to_rgb(compressed('.jpg')), turns))


def test_a_mosaic_is_not_turned() -> None:
    turned = jpeg_turned(6)
    turned.format = 'bayer_rggb8; jpeg compressed bayer_rggb8'
    assert to_rgb(turned).shape == (24, 32, 3)
