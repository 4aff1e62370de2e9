# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from mcap.writer import Writer as McapWriter
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from livevlm_ros.engine.messages import BadFrame, Frame
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.image_bag import STORAGES, image_bag
from livevlm_ros.replay.source import find_recordings, open_source

START_NS = 1_700_000_000_123_456_789
PERIOD_NS = 33_333_333


def pictures(count: int, size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    """Make smooth pictures, each different, that jpeg keeps well."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return [
        np.dstack([rows * 3, columns * 2, np.full(size, 5 * n)]).astype(np.uint8)
        for n in range(count)
    ]


def write_bag(path: Path, count: int = 5, **options) -> list[np.ndarray]:
    images = pictures(count)
    with image_bag(path, **options) as write:
        for number, image in enumerate(images):
            write(START_NS + number * PERIOD_NS, image)
    return images


def storage_file(bag: Path) -> Path:
    return next(file for file in bag.iterdir() if file.suffix in ('.mcap', '.db3'))


def pixels(frame: Frame) -> np.ndarray:
    assert callable(frame.pixels), 'pixels must be decoded only when the engine takes the frame'
    return frame.pixels()


@pytest.mark.parametrize('raw', [True, False], ids=['raw', 'jpeg'])
@pytest.mark.parametrize('storage', STORAGES)
def test_what_is_written_is_read_with_its_stamps(tmp_path: Path, storage: str, raw: bool) -> None:
    images = write_bag(tmp_path / 'bag', storage=storage, raw=raw)
    source = open_source(tmp_path / 'bag')
    assert source.length == 5
    read = [(frame.stamp_ns, frame.frame_id, pixels(frame)) for frame in source.frames()]
    assert [stamp for stamp, _, _ in read] == [START_NS + n * PERIOD_NS for n in range(5)]
    assert {frame_id for _, frame_id, _ in read} == {'camera_optical_frame'}
    for (_, _, given), expected in zip(read, images, strict=True):
        worst = np.abs(given.astype(int) - expected.astype(int)).max()
        assert worst <= (0 if raw else 12)
    assert source.warnings == [] and source.skipped == {}


@pytest.mark.parametrize('storage', STORAGES)
def test_a_storage_file_alone_is_a_bag(tmp_path: Path, storage: str) -> None:
    write_bag(tmp_path / 'bag', storage=storage)
    source = open_source(storage_file(tmp_path / 'bag'))
    assert len(list(source.frames())) == 5 and source.warnings == []


@pytest.mark.parametrize('metadata', [True, False], ids=['metadata', 'no-metadata'])
@pytest.mark.parametrize('storage', STORAGES)
def test_a_bag_cut_off_in_the_middle_is_used_up_to_the_cut(
    tmp_path: Path, storage: str, metadata: bool
) -> None:
    bag = tmp_path / 'bag'
    with image_bag(bag, storage=storage, raw=True) as write:
        for number, image in enumerate(pictures(12, size=(400, 500))):
            write(START_NS + number * PERIOD_NS, image)
    if not metadata:
        (bag / 'metadata.yaml').unlink()
    file = storage_file(bag)
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 6 // 10])

    source = open_source(bag)
    stamps = [frame.stamp_ns for frame in source.frames()]
    assert 3 <= len(stamps) <= 8
    assert stamps == [START_NS + n * PERIOD_NS for n in range(len(stamps))]
    assert len(source.warnings) == 1
    assert 'bag: cut off or damaged' in source.warnings[0]
    assert f'using the {len(stamps)} messages' in source.warnings[0]


@pytest.mark.parametrize('text', [None, '', '\0' * 64, 'rosbag2_bagfile_information: {}'])
@pytest.mark.parametrize('storage', STORAGES)
def test_a_whole_bag_whose_metadata_is_of_no_use_is_not_called_cut_off(
    tmp_path: Path, storage: str, text: str | None
) -> None:
    write_bag(tmp_path / 'bag', storage=storage)
    metadata = tmp_path / 'bag/metadata.yaml'
    metadata.unlink() if text is None else metadata.write_text(text)
    source = open_source(tmp_path / 'bag')
    assert len(list(source.frames())) == 5
    (warning,) = source.warnings
    assert 'bag: metadata.yaml is missing or of no use (' in warning
    assert warning.endswith('using the 5 messages that can be read')


def damage(bag: Path, rows: dict[int, str]) -> None:
    """Change rows of an sqlite3 bag as no recorder would."""
    with closing(sqlite3.connect(storage_file(bag))) as connection, connection:
        connection.execute('CREATE TABLE loose AS SELECT * FROM messages')  # takes NULL
        connection.execute('DROP TABLE messages')
        connection.execute('ALTER TABLE loose RENAME TO messages')
        for row, change in rows.items():
            connection.execute(f'UPDATE messages SET {change} WHERE id = {row}')


def test_damaged_rows_of_a_damaged_bag_are_passed_over_and_counted(tmp_path: Path) -> None:
    bag = tmp_path / 'bag'
    write_bag(bag, count=6, storage='sqlite3')
    (bag / 'metadata.yaml').unlink()
    damage(bag, {2: 'topic_id = 77', 3: 'data = NULL', 5: 'timestamp = NULL'})
    source = open_source(bag)
    read = [frame.stamp_ns for frame in source.frames()]
    assert read == [START_NS + n * PERIOD_NS for n in (0, 3, 5)]
    (warning,) = source.warnings
    assert 'using the 3 messages that can be read, passing over 3 damaged ones' in warning


def test_messages_of_an_unknown_mcap_channel_are_passed_over_and_counted(tmp_path: Path) -> None:
    file = tmp_path / 'cut.mcap'
    with file.open('wb') as stream:
        writer = McapWriter(stream)
        writer.start(profile='ros2', library='test')
        schema = writer.register_schema('sensor_msgs/msg/Image', 'ros2msg', b'')
        channel = writer.register_channel('/eye', 'cdr', schema)
        for number in range(4):
            writer.add_message(channel + 9 * (number == 1), START_NS + number, b'x', START_NS)
        writer.finish()
    file.write_bytes(file.read_bytes()[:-40])  # no footer: what is left is salvaged
    source = open_source(file)
    assert len(list(source.frames())) == source.length == 3
    (warning,) = source.warnings
    assert 'using the 3 messages that can be read, passing over 1 damaged ones' in warning


def test_a_row_without_data_of_a_whole_bag_is_one_bad_frame(tmp_path: Path) -> None:
    bag = tmp_path / 'bag'
    write_bag(bag, count=3, storage='sqlite3')
    damage(bag, {2: 'data = NULL'})
    frames = list(open_source(bag).frames())
    assert len(frames) == 3
    with pytest.raises(BadFrame, match='record of 0 bytes'):
        pixels(frames[1])


def test_frames_without_a_stamp_get_the_time_of_their_recording(tmp_path: Path) -> None:
    mixed_bag(tmp_path / 'bag', images=3, camera_topics=('/eye',), stamp_s=0)
    source = open_source(tmp_path / 'bag')
    for _ in range(2):
        assert [frame.stamp_ns for frame in source.frames()] == [START_NS + n for n in range(3)]
    next(source.frames())
    (warning,) = source.warnings
    assert '3 frames on /eye have stamp 0; the time of their recording is used' in warning


@pytest.mark.parametrize('storage', STORAGES)
def test_a_whole_recording_without_metadata_is_read_whole(tmp_path: Path, storage: str) -> None:
    write_bag(tmp_path / 'bag', storage=storage)
    (tmp_path / 'bag' / 'metadata.yaml').unlink()
    assert find_recordings(tmp_path / 'bag') == [tmp_path / 'bag']
    assert len(list(open_source(tmp_path / 'bag').frames())) == 5


@pytest.mark.parametrize('size', [0, 3, 60])
@pytest.mark.parametrize('storage', STORAGES)
def test_a_bag_of_which_nothing_is_left_is_refused(
    tmp_path: Path, storage: str, size: int
) -> None:
    write_bag(tmp_path / 'bag', storage=storage)
    file = storage_file(tmp_path / 'bag')
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(BadInput, match='bag: no message of this bag can be read'):
        open_source(tmp_path / 'bag')


def mixed_bag(
    path: Path,
    *,
    images: int = 2,
    camera_topics: tuple[str, ...] = (),
    stamp_s: int = 1,
    stamp_ns: int = 0,
) -> None:
    """Write images between messages of a type that no ROS install knows."""
    store = get_typestore(Stores.ROS2_KILTED)
    store.register(get_types_from_msg('float64 volts\nstring who', 'acme_msgs/msg/Battery'))
    battery = store.types['acme_msgs/msg/Battery']
    header, time = store.types['std_msgs/msg/Header'], store.types['builtin_interfaces/msg/Time']
    kind = 'sensor_msgs/msg/Image'
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        other = writer.add_connection('/battery', 'acme_msgs/msg/Battery', typestore=store)
        cameras = [writer.add_connection(t, kind, typestore=store) for t in camera_topics]
        for n in range(images):
            volts = store.serialize_cdr(battery(12.5, 'acme'), 'acme_msgs/msg/Battery')
            writer.write(other, START_NS + n, volts)
            for camera in cameras:
                stamp = time(stamp_s, stamp_ns + n if stamp_s else 0)
                data = np.zeros(12, np.uint8)
                image = store.types[kind](header(stamp, 'eye'), 2, 2, 'rgb8', 0, 6, data)
                writer.write(camera, START_NS + n, store.serialize_cdr(image, kind))


def test_a_stamp_that_is_no_time_makes_a_bad_frame(tmp_path: Path) -> None:
    mixed_bag(tmp_path / 'bag', camera_topics=('/eye',), stamp_ns=10**9 - 1)
    good, bad = open_source(tmp_path / 'bag').frames()
    assert good.stamp_ns == 2 * 10**9 - 1 and pixels(good).shape == (2, 2, 3)
    with pytest.raises(BadFrame, match='nanosec 1000000000 in its header stamp'):
        pixels(bad)


def test_a_16_bit_camera_keeps_the_bits_that_its_brightest_picture_needed(tmp_path: Path) -> None:
    store, kind = get_typestore(Stores.ROS2_KILTED), 'sensor_msgs/msg/Image'
    header, time = store.types['std_msgs/msg/Header'], store.types['builtin_interfaces/msg/Time']
    with Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        camera = writer.add_connection('/eye', kind, typestore=store)
        for second, value in enumerate((512, 4095, 512), start=1):
            data = np.array([value], '<u2').view(np.uint8)
            image = store.types[kind](header(time(second, 0), 'eye'), 1, 1, 'mono16', 0, 2, data)
            writer.write(camera, START_NS + second, store.serialize_cdr(image, kind))
    source = open_source(tmp_path / 'bag')
    for _ in range(2):  # read again, it begins anew
        assert [pixels(frame).max() for frame in source.frames()] == [128, 255, 32]


def test_messages_of_unknown_types_are_skipped_and_counted(tmp_path: Path) -> None:
    mixed_bag(tmp_path / 'bag', images=3, camera_topics=('/eye',))
    source = open_source(tmp_path / 'bag')
    assert [frame.stamp_ns for frame in source.frames()] == [10**9, 10**9 + 1, 10**9 + 2]
    assert source.skipped == {'/battery [acme_msgs/msg/Battery]': 3}


def test_a_bag_without_images_is_refused_listing_what_it_has(tmp_path: Path) -> None:
    mixed_bag(tmp_path / 'bag', images=3)
    with pytest.raises(BadInput) as refusal:
        open_source(tmp_path / 'bag')
    assert 'no images' in str(refusal.value)
    assert '/battery [acme_msgs/msg/Battery]: 3' in str(refusal.value)
    assert 'sensor_msgs/msg/Image' in str(refusal.value)


@pytest.mark.parametrize('storage', STORAGES)
def test_an_empty_bag_is_refused(tmp_path: Path, storage: str) -> None:
    with image_bag(tmp_path / 'bag', storage=storage):
        pass
    with pytest.raises(BadInput, match='no images in this bag.*found no messages at all'):
        open_source(tmp_path / 'bag')


def test_several_cameras_need_a_choice(tmp_path: Path) -> None:
    mixed_bag(tmp_path / 'bag', camera_topics=('/left', '/right'))
    with pytest.raises(BadInput, match='/left, /right.*--topic'):
        open_source(tmp_path / 'bag')
    with pytest.raises(BadInput, match='no images on topic /up; images are on /left, /right'):
        open_source(tmp_path / 'bag', topic='/up')
    source = open_source(tmp_path / 'bag', topic='/right')
    assert source.length == len(list(source.frames())) == 2
    assert source.skipped['/left [sensor_msgs/msg/Image]'] == 2


@pytest.mark.parametrize('storage', STORAGES)
def test_a_bag_whose_metadata_was_edited_is_read_without_it(tmp_path: Path, storage: str) -> None:
    write_bag(tmp_path / 'bag', storage=storage)
    metadata = tmp_path / 'bag' / 'metadata.yaml'
    text, none = metadata.read_text(), 'offered_qos_profiles: []'
    assert none in text
    times = ''.join(
        f', {name}: {{sec: 1, nsec: 0}}'
        for name in ('deadline', 'lifespan', 'liveliness_lease_duration')
    )
    qos = 'history: 1, depth: 9, reliability: 1, durability: 2, liveliness: 1' + times
    named = f'[{{{qos}, avoid_ros_namespace_conventions: false}}]'
    metadata.write_text(text.replace(none, f'offered_qos_profiles: {named}'))
    source = open_source(tmp_path / 'bag')
    for _ in range(2):
        stamps = [frame.stamp_ns for frame in source.frames()]
        assert stamps == [START_NS + number * PERIOD_NS for number in range(5)]
    (warning,) = source.warnings
    assert 'no topic as its metadata.yaml describes /camera/image_raw' in warning


def test_a_part_that_the_metadata_does_not_name_is_told(tmp_path: Path) -> None:
    write_bag(tmp_path / 'bag')
    write_bag(tmp_path / 'other')
    storage_file(tmp_path / 'other').rename(tmp_path / 'bag' / 'bag_1.mcap')
    source = open_source(tmp_path / 'bag')
    assert len(list(source.frames())) == 5
    (warning,) = source.warnings
    assert 'bag_1.mcap is not in its metadata.yaml, and not read' in warning


@pytest.mark.parametrize('others', [0, 1])
def test_one_camera_raw_and_compressed_is_one_camera(tmp_path: Path, others: int) -> None:
    store = get_typestore(Stores.ROS2_KILTED)
    write_bag(tmp_path / 'raw', raw=True)
    write_bag(tmp_path / 'jpeg')
    with Writer(tmp_path / 'both', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for name, kind in (('raw', 'Image'), ('jpeg', 'CompressedImage')):
            source = open_source(tmp_path / name)
            kind = f'sensor_msgs/msg/{kind}'
            connection = writer.add_connection(source.topic, kind, typestore=store)  # type: ignore
            written = list(source.messages())[others if name == 'raw' else 0 :]  # type: ignore
            for frame, data in written:
                writer.write(connection, frame.stamp_ns, data)
    source = open_source(tmp_path / 'both')
    taken = '/camera/image_raw/compressed' if others else '/camera/image_raw'
    assert (source.topic, source.length) == (taken, 5)  # type: ignore
    assert len(list(source.frames())) == 5
    assert open_source(tmp_path / 'both', topic='/camera/image_raw').length == 5 - others


def test_one_topic_of_two_types_is_read_as_the_one_that_lost_less(tmp_path: Path) -> None:
    store = get_typestore(Stores.ROS2_KILTED)
    with Writer(tmp_path / 'both', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for kind, count in (('Image', 4), ('CompressedImage', 5)):
            write_bag(tmp_path / kind, count, raw=kind == 'Image')
            eye = writer.add_connection('/eye', f'sensor_msgs/msg/{kind}', typestore=store)
            for frame, data in open_source(tmp_path / kind).messages():  # type: ignore
                writer.write(eye, frame.stamp_ns, data)
    source = open_source(tmp_path / 'both')
    stamps = [frame.stamp_ns for frame in source.frames()]
    assert stamps == [START_NS + n * PERIOD_NS for n in range(5)] and source.length == 5
    assert source.type.endswith('/CompressedImage')  # type: ignore
    assert source.skipped == {'/eye [sensor_msgs/msg/Image]': 4}


@pytest.mark.parametrize('coding', ['json', 'protobuf', 'ros1'])
def test_images_that_are_none_of_ros_2_are_refused_by_their_type(
    tmp_path: Path, coding: str
) -> None:
    kind = 'sensor_msgs/Image' if coding == 'ros1' else 'foxglove.CompressedImage'
    with (tmp_path / 'a.mcap').open('wb') as stream:
        writer = McapWriter(stream)
        writer.start(profile='', library='test')
        schema = writer.register_schema(kind, 'any', b'')
        channel = writer.register_channel('/eye', coding, schema)
        writer.add_message(channel, START_NS, b'{}', START_NS)
        writer.finish()
    with pytest.raises(BadInput, match=rf'no images in this bag.*found /eye \[{kind}\]: 1'):
        open_source(tmp_path / 'a.mcap')


def test_numbers_of_either_byte_order_are_read(tmp_path: Path) -> None:
    store, kind = get_typestore(Stores.ROS2_KILTED), 'sensor_msgs/msg/Image'
    header, time = store.types['std_msgs/msg/Header'], store.types['builtin_interfaces/msg/Time']
    data = np.arange(12, dtype=np.uint8)
    image = store.types[kind](header(time(5, 7), 'eye'), 2, 2, 'rgb8', 0, 6, data)
    with Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        eye = writer.add_connection('/eye', kind, typestore=store)
        writer.write(eye, START_NS, store.serialize_cdr(image, kind, little_endian=False))
    (frame,) = open_source(tmp_path / 'bag').frames()
    assert frame.stamp_ns == 5 * 10**9 + 7 and pixels(frame).ravel().tolist() == list(range(12))


def test_a_broken_record_is_one_bad_frame_among_good_ones(tmp_path: Path) -> None:
    kind = 'sensor_msgs/msg/CompressedImage'
    store = get_typestore(Stores.ROS2_KILTED)
    write_bag(tmp_path / 'good')
    good = [r.data for r in open_source(tmp_path / 'good')._read_whole()]  # type: ignore
    with Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/c', kind, typestore=store)
        for number, data in enumerate([good[0], good[1][:20], good[2][:-300], good[3]]):
            writer.write(connection, START_NS + number, data)
    outcomes = []
    for frame in open_source(tmp_path / 'bag').frames():
        try:
            outcomes.append(pixels(frame).shape)
        except BadFrame as bad:
            outcomes.append(type(bad))
    assert outcomes == [(48, 64, 3), BadFrame, BadFrame, (48, 64, 3)]


def test_an_existing_bag_is_never_overwritten(tmp_path: Path) -> None:
    write_bag(tmp_path / 'bag')
    with pytest.raises(BadInput, match='exists already'):
        write_bag(tmp_path / 'bag')


def test_an_unknown_storage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'rosbag1'.*mcap, sqlite3"):
        write_bag(tmp_path / 'bag', storage='rosbag1')
