# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every encoding becomes the same picture; every buffer that does not fit is refused by name."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from livevlm_ros.engine.messages import BadFrame
from livevlm_ros.images import ENCODINGS, to_rgb

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
        ({'encoding': '32FC1'}, "'32FC1'.*expected one of rgb8"),
        ({'encoding': '16UC1'}, "'16UC1'"),
        ({'encoding': ''}, "''"),
        ({'width': 0}, '0x24.*at least 1x1'),
        ({'height': 0}, '32x0'),
        ({'step': 95}, 'step of 95.*at least 96'),
        ({'data': b'\0' * 2303}, '2303.*expected 2304'),
        ({'data': b''}, 'data of 0 bytes'),
    ],
)
def test_a_raw_image_that_does_not_fit_its_header_is_refused(change: dict, says: str) -> None:
    broken = message('rgb8')
    vars(broken).update(change)
    with pytest.raises(BadFrame, match=says):
        to_rgb(broken)


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
        *[(source, 'jpeg', 'mono8') for source in ('mono8', 'mono16', 'bayer_rggb8')],
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


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
@pytest.mark.parametrize('kept', [0.3, 0.9])
def test_a_cut_off_file_is_refused(extension: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    cut = compressed(extension, noise)
    cut.data = cut.data[: int(len(cut.data) * kept)]
    with pytest.raises(BadFrame, match='cut off'):
        to_rgb(cut)


def test_padding_after_a_jpeg_is_no_obstacle() -> None:
    padded = compressed('.jpg')
    padded.data += bytes(500)
    assert to_rgb(padded).shape == (24, 32, 3)


def declaring(extension: str, width: int, height: int, *flags: int) -> SimpleNamespace:
    """Make a small file whose header says that it holds a picture of another size."""
    data = bytearray(cv2.imencode(extension, np.zeros((8, 8, 3), np.uint8), flags)[1].tobytes())
    if extension == '.png':
        data[16:24] = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    else:
        frame = next(at for at in map(data.find, (b'\xff\xc0', b'\xff\xc2')) if at >= 0)
        data[frame + 5 : frame + 9] = height.to_bytes(2, 'big') + width.to_bytes(2, 'big')
    return SimpleNamespace(format=extension[1:], data=bytes(data))


PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
HUGE = [
    ('.jpg', 65500, 65500),
    ('.jpg', 65500, 65500, *PROGRESSIVE),
    ('.jpg', 8001, 8000),
    ('.png', 2**31 - 1, 2**31 - 1),
    ('.png', 20000, 20000),
]


@pytest.mark.parametrize('header', HUGE, ids=str)
def test_a_picture_that_declares_a_huge_size_is_refused_before_it_is_decoded(
    header: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = declaring(*header)
    assert len(huge.data) < 1000
    monkeypatch.delattr(cv2, 'imdecode')
    with pytest.raises(BadFrame, match=f'{header[1]}x{header[2]} pixels.*at most 64 megapixels'):
        to_rgb(huge)


def test_the_size_in_the_thumbnail_of_a_jpeg_is_not_the_size_of_the_picture() -> None:
    photo, thumbnail = compressed('.jpg'), declaring('.jpg', 65500, 65500).data
    block = b'Exif\0\0' + thumbnail
    segment = b'\xff\xe1' + (len(block) + 2).to_bytes(2, 'big') + block
    photo.data = photo.data[:2] + segment + photo.data[2:]
    assert to_rgb(photo).shape == (24, 32, 3)


def test_a_jpeg_whose_header_lies_behind_thousands_of_segments_is_given_up() -> None:
    photo, comment = compressed('.jpg'), b'\xff\xfe\0\2'
    photo.data = photo.data[:2] + comment * 1000 + photo.data[2:]
    assert to_rgb(photo).shape == (24, 32, 3)
    photo.data = photo.data[:2] + comment * 1000 + photo.data[2:]
    with pytest.raises(BadFrame, match='no frame header'):
        to_rgb(photo)


@pytest.mark.parametrize('extension', ['.tiff', '.webp', '.bmp', '.ppm', '.hdr'])
def test_other_kinds_of_file_are_refused_by_name(extension: str) -> None:
    data = cv2.imencode(extension, picture())[1].tobytes()
    with pytest.raises(BadFrame, match="'rgb8; tiff compressed ', is neither jpeg nor png"):
        to_rgb(SimpleNamespace(format='rgb8; tiff compressed ', data=data))


WITHOUT_SCAN = compressed('.jpg').data.partition(b'\xff\xda')[0] + b'\xff\xd9'


@pytest.mark.parametrize(
    'data', [b'', b'no picture at all', b'\xff\xd8\xff\xda\xff\xd9', WITHOUT_SCAN]
)
def test_data_that_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadFrame, match=f'{len(data)} bytes'):
        to_rgb(SimpleNamespace(format='jpeg', data=data))


@pytest.mark.parametrize(
    'form', ['16UC1; compressedDepth png', '16UC1; png compressed ', '32FC1; tiff compressed ']
)
def test_depth_is_refused(form: str) -> None:
    data = cv2.imencode('.png', np.full((4, 6), 0x8000, np.uint16))[1].tobytes()
    with pytest.raises(BadFrame, match=form):
        to_rgb(SimpleNamespace(format=form, data=data))
