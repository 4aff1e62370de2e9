# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page in a real Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('playwright')

from playwright.sync_api import Browser, Page, expect, sync_playwright

from livevlm_interfaces.msg import AnswerRecord, Evidence, MemoryEvent, Watch

PATIENCE_MS = 60_000
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
DESK = {'width': 1280, 'height': 860}
PHONE = {'width': 390, 'height': 844}
PICTURES = os.environ.get('LIVEVLM_PICTURES', '')
"""Folder for the picture of the README, such as docs; none is kept by default."""


@pytest.fixture(scope='module')
def chromium() -> Iterator[Browser]:
    """Give a browser, where there is one."""
    path = shutil.which('chromium') or shutil.which('chromium-browser')
    if path is None:
        pytest.skip('no Chromium is here: apt-get install chromium')
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=['--no-sandbox'])
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Give a function that opens an address; a page that has an error fails its test."""
    errors: list[str] = []
    with ExitStack() as stack:

        def open_page(address: str, **options: Any) -> Page:
            context = chromium.new_context(**options)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.on('pageerror', lambda error: errors.append(str(error)))
            page.goto(address)
            return page

        yield open_page
    assert errors == []


def test_two_cameras_and_an_answer_that_grows(node, script, served, browse) -> None:
    page = browse(served())
    for camera in ('front', 'left'):
        picture = page.get_by_alt_text(f'Live picture of camera {camera}')
        expect(picture).to_have_attribute('src', re.compile('^data:image/jpeg'))
        page.wait_for_function('image => image.naturalWidth == 32', arg=picture.element_handle())
    page.get_by_label('Question', exact=True).fill('what color was it ?')
    page.get_by_label('Camera').select_option('left')
    page.get_by_label('Budget').fill('1.5')
    page.get_by_label('Question', exact=True).press('Enter')
    answer = page.get_by_label('Answer', exact=True)
    script.said = 'dark'
    expect(answer).to_have_text('dark')
    expect(page.get_by_role('button', name='Ask')).to_be_disabled()
    script.said = 'dark red'
    expect(answer).to_have_text('dark red')
    script.ended.set()
    expect(page.get_by_alt_text(re.compile('Evidence: front, 2.0 s.*x 1.5'))).to_be_visible()
    expect(page.locator('#verdict')).to_contain_text('confidence 75 %')
    expect(page.get_by_role('button', name='Ask')).to_be_enabled()
    (goal,) = script.goals
    assert (list(goal.cameras), goal.latency_budget.nanosec) == (['left'], 500_000_000)


def test_a_cancel_keeps_what_was_said(node, script, served, browse) -> None:
    page = browse(served())
    expect(page.get_by_role('button', name='Ask')).to_be_enabled()
    page.get_by_label('Question', exact=True).fill('what ?')
    page.get_by_role('button', name='Ask').click()
    script.said = 'dark'
    expect(page.get_by_label('Answer', exact=True)).to_have_text('dark')
    page.get_by_role('button', name='Cancel').click()
    expect(page.locator('#verdict')).to_contain_text('canceled')
    expect(page.get_by_label('Answer', exact=True)).to_have_text('dark')
    expect(page.get_by_role('button', name='Cancel')).to_be_disabled()


def test_the_timeline_shows_tiers_what_was_read_and_frames_by_keyboard(
    node, served, browse
) -> None:
    page = browse(served())
    drawn = page.get_by_role('img', name=re.compile('6 frames over 5.0 s.*4 in short-term'))
    expect(drawn).to_be_visible()
    record = AnswerRecord(evidence=[Evidence(camera='left')])
    record.evidence[0].header.stamp.sec = 2
    node.answers.publish(record)
    expect(page.locator('rect.read')).to_have_count(1)
    node.events.publish(MemoryEvent(type=MemoryEvent.CAMERA_LOST, camera='left', value=3.0))
    expect(page.locator('#events')).to_contain_text('left no image for 3.0 s')
    slider = page.get_by_role('slider')
    slider.press('ArrowLeft')
    expect(page.get_by_alt_text('front at 5.0 s')).to_be_visible()
    expect(page.locator('#frame-told')).to_have_text('front, 5.0 s, short-term, archive')


def test_watches_are_added_and_removed(node, script, served, browse) -> None:
    page = browse(served())
    page.get_by_label('Standing question').fill('what light ?')
    page.get_by_role('button', name='Watch', exact=True).click()
    expect(page.locator('#watches')).to_contain_text('what light ? every 2.0 s: no answer yet')
    page.get_by_role('button', name='Remove the watch what light ?').click()
    expect(page.locator('#watches li')).to_have_count(0)


def test_what_the_node_says_is_text_and_never_markup(node, script, served, browse) -> None:
    script.cameras[HOSTILE] = '/hostile/image'
    script.watches.append(Watch(watch_id='w', question=HOSTILE, answer=HOSTILE))
    page = browse(served())
    page.get_by_label('Question', exact=True).fill(HOSTILE)
    expect(page.get_by_role('button', name='Ask')).to_be_enabled()
    page.get_by_role('button', name='Ask').click()
    script.said = HOSTILE
    node.events.publish(MemoryEvent(detail=HOSTILE, camera=HOSTILE, type=2))
    node.answers.publish(AnswerRecord(question=HOSTILE, answer=HOSTILE))
    expect(page.get_by_label('Answer', exact=True)).to_have_text(HOSTILE)
    for place in ('#watches', '#events', '#cameras', '#camera'):
        expect(page.locator(place)).to_contain_text(HOSTILE)
    assert page.title() == 'livevlm'
    assert page.locator('img[onerror], body script').count() == 0


def test_a_node_that_is_gone_is_said_and_the_page_recovers(
    script, scripted, served, browse
) -> None:
    address = served()
    with scripted(script):
        page = browse(address)
        expect(page.get_by_role('button', name='Ask')).to_be_enabled()
    expect(page.get_by_text('The node is gone.')).to_be_visible()
    expect(page.get_by_role('button', name='Ask')).to_be_disabled()
    script.ended.clear()
    with scripted(script):
        expect(page.get_by_text('The node is gone.')).to_be_hidden()
        expect(page.get_by_role('button', name='Ask')).to_be_enabled()


@pytest.mark.slow
def test_ten_viewers_see_and_a_phone_has_one_column(node, served, browse) -> None:
    address = served()
    pages = [browse(address, viewport=PHONE) for _ in range(10)]
    for page in pages:
        expect(page.get_by_alt_text('Live picture of camera left')).to_be_visible()
    expect(pages[0].locator('#viewers')).to_contain_text('10 looking')
    assert [publisher.get_subscription_count() for publisher in node.images] == [1, 1]
    widths = 'document.documentElement.scrollWidth <= window.innerWidth'
    assert pages[0].evaluate(widths), 'the phone must scroll sideways'
    lefts = pages[0].locator('section').evaluate_all('all => all.map(s => s.offsetLeft)')
    assert len(set(lefts)) == 1
    heights = (
        pages[0].locator('button:visible').evaluate_all('all => all.map(b => b.offsetHeight)')
    )
    assert min(heights) >= 44


def test_a_token_lets_in_and_is_kept_by_the_browser(node, served, browse) -> None:
    address = served(token='secret')
    refused = browse(address)
    expect(refused.get_by_text('the token is missing or wrong')).to_be_visible()
    page = browse(f'{address}/?token=secret')
    expect(page.get_by_role('button', name='Ask')).to_be_enabled()
    page.goto(address)
    expect(page.get_by_role('button', name='Ask')).to_be_enabled()


def test_another_site_hears_nothing(node, served, browse) -> None:
    address = served()
    page = browse('about:blank')  # whose origin is null
    opened = """address => new Promise(done => {
        const socket = new WebSocket(address);
        socket.onopen = () => done(true);
        socket.onerror = () => done(false);
    })"""
    assert page.evaluate(opened, f'{address.replace("http", "ws")}/live') is False


@pytest.mark.slow
def test_the_simulated_camera_is_watched_and_asked(served, browse, tmp_path: Path) -> None:
    pytest.importorskip('torch')
    with ExitStack() as stack:
        world = {'publish_clock': 'true', 'rate': 10.0, 'speed': 10.0}
        stack.enter_context(process('main', use_sim_time='true'))
        stack.enter_context(process('world_camera', **world))
        page = browse(served(), viewport=DESK, color_scheme='light')
        expect(page.get_by_role('button', name='Ask')).to_be_enabled()
        expect(page.get_by_role('img', name=re.compile(r'(\d{3}|[3-9]\d) frames'))).to_be_visible()
        page.get_by_label('Question', exact=True).fill('what color was the car ?')
        page.get_by_label('Question', exact=True).press('Enter')
        expect(page.locator('#verdict')).to_contain_text('confidence')
        expect(page.locator('#evidence img').first).to_be_visible()
        expect(page.locator('rect.read').first).to_be_visible()
        page.get_by_role('slider').press('ArrowLeft')
        expect(page.locator('#frame')).to_be_visible()
        picture = (Path(PICTURES) if PICTURES else tmp_path) / 'page.jpg'
        page.screenshot(path=picture, quality=80)
        assert 10_000 < picture.stat().st_size < 200_000


@contextmanager
def process(module: str, **parameters: object) -> Iterator[None]:
    """Let a node's process live as long as a block."""
    given = [word for name, value in parameters.items() for word in ('-p', f'{name}:={value}')]
    started = subprocess.Popen(
        [sys.executable, '-m', f'livevlm_ros.node.{module}', '--ros-args', *given]
    )
    try:
        yield
    finally:
        started.terminate()
        started.wait(PATIENCE_MS / 1000)
