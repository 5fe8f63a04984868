"""The viewer page where eyelid-video is there: by WebRTC, by MSE, and by JPEGs where neither goes.

Chromium has H.264 by WebRTC; Firefox has it with a plugin that it fetches from its maker.
"""

import json
import os
import re
import signal
import socket
import time
from contextlib import contextmanager, suppress

import pytest
from looking import (
    LAPTOP,
    PATIENCE,
    PHONE,
    SEEN,
    assert_accessible,
    card,
    hidden,
    in_chromium,
    streams,
    wait_drawn,
    wait_moves,
    wait_page,
    wait_text,
)
from test_facts import SHIFTED, UNKNOWN, span_s
from test_page import BROKEN

from harness.browser import FLAGS
from harness.http import connect, free_port, get
from harness.processes import descendants, program_named
from harness.slot import Slot
from harness.waiting import wait_for

in_firefox = pytest.mark.parametrize("browser", ["firefox"], indirect=True)

LINGER_S = 1
OLDEST_S = 1.5  # on a busy machine; what waits in a queue is older soon
WEBSOCKET = (
    b"GET /front/mse HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
NOWHERE = "192.0.2.1 9"  # an address of no machine (RFC 5737)

# Keeps what waits for a source to be open, for a test to say when.
LATE = """
  window.late = [];
  const listen = MediaSource.prototype.addEventListener;
  MediaSource.prototype.addEventListener = function (type, listener, options) {
    listen.call(this, type, type === 'sourceopen' ? () => late.push(listener) : listener, options);
  };
"""


@pytest.fixture
def filmed(eyelid, directory):
    """Starts `eyelid` with cameras that come as H.264, too."""

    def filmed(*names, video=""):
        config = directory / "eyelid.toml"
        camera = 'source = "test"\nsize = "320x240"\nfps = 15\nlinger = "1s"\n'
        cameras = "".join(f"[cameras.{name}]\n{camera}" for name in names or ["front"])
        port = free_port(kind=socket.SOCK_DGRAM)
        config.write_text(f"[video]\nudp = {port}\n{video}\n{cameras}")
        program = eyelid("--config", config)
        assert "video" in programs(program)
        return program

    return filmed


def programs(eyelid):
    """Gives the programs that requests are handed over to."""
    return json.loads(get(eyelid.url, "/status").body)["programs"]


def open_player(page, eyelid, way):
    """Opens the page of a camera, and waits until it is seen in this way."""
    page.goto(f"{eyelid.url}/front/", wait_until="commit")
    wait_way(page, way)


def wait_way(page, way, camera="front"):
    """Waits until a picture came in this way."""
    wait_text(page, card(page, camera).locator(".rendition"), way)
    wait_text(page, card(page, camera).locator(".state"), "awake")


def wait_age(page):
    """Waits for an age, which must be that of a picture that waited nowhere."""
    wait_page(page, lambda: page.locator(".age").text_content() != UNKNOWN, "an age")
    ages = []
    for _ in range(10):
        page.wait_for_timeout(200)
        ages.append(span_s(page.locator(".age").text_content())[0])
    assert sorted(ages)[5] < OLDEST_S, ages


def fact(page, name):
    """Gives one of the statistics."""
    rows = page.locator(".statistics dl > div")
    found = dict(row.split("\n", 1) for row in rows.all_inner_texts() if "\n" in row)
    return found.get(name, "")


def number(text):
    """Gives what a fact begins with."""
    found = re.match(r"[\d.]+", text)
    return float(found[0]) if found else -1


@contextmanager
def without_udp(page):
    """Has WebRTC's packets lead nowhere, as where a network lets no UDP pass."""

    def answer(route):
        response = route.fetch()
        candidate = r"(?m)^(a=candidate:\S+ \d+ udp \d+) \S+ \d+"
        text, count = re.subn(candidate, rf"\1 {NOWHERE}", response.text(), flags=re.I)
        assert count or not response.ok, f"no candidate in {response.text()}"
        route.fulfill(response=response, body=text)

    page.route("**/whep", answer)
    yield
    page.unroute("**/whep")


def video_program(eyelid):
    """Gives the pid of eyelid-video; None while it does not run."""
    return program_named(eyelid.pid, "eyelid-video")


# Ways


@in_chromium
def test_chromium_plays_by_webrtc(page, filmed):
    open_player(page, filmed(), "WebRTC")
    assert page.locator("video").count() == 1
    wait_age(page)
    assert page.complaints == []  # before a screenshot, for which Playwright adds a style
    wait_moves(page, page.locator("video"))


@in_firefox
def test_firefox_plays_by_mse_and_is_told_why_not_by_webrtc(page, filmed):
    open_player(page, filmed(), "MSE")
    wait_age(page)
    assert "H.264" in page.locator(".rendition").get_attribute("title")
    refused = page.evaluate("""async () => {
      const peer = new RTCPeerConnection();
      peer.addTransceiver('video', { direction: 'recvonly' });
      const { sdp: body } = await peer.createOffer();
      const headers = { 'Content-Type': 'application/sdp' };
      const response = await fetch('whep', { method: 'POST', headers, body });
      return [response.status, (await response.json()).error];
    }""")
    assert refused[0] == 406 and "H.264" in refused[1], refused
    wait_moves(page, page.locator("video"))


@in_chromium
def test_without_udp_it_falls_to_mse_and_goes_back_up_in_place(page, filmed):
    eyelid = filmed()
    with without_udp(page):
        open_player(page, eyelid, "MSE")
        wait_page(
            page,
            lambda: "no connection by UDP" in page.locator(".rendition").get_attribute("title"),
            "it says why",
        )
        wait_age(page)
        assert card(page, "front").locator(".state").text_content() == "awake"
        assert len(streams(eyelid)) == 1, "the WebSocket alone; there is no stream of JPEGs"
    wait_way(page, "WebRTC")
    wait_page(page, lambda: page.locator("video").count() == 1, "the other way is closed")
    wait_page(page, lambda: not streams(eyelid), "the WebSocket is closed")
    assert page.complaints == []


def test_mse_plays_on_past_what_the_browser_keeps(page, filmed):
    with without_udp(page):
        open_player(page, filmed(), "MSE")
        forgets = """() => [...document.querySelectorAll('video')].some(({ buffered }) =>
          buffered.length && buffered.start(0) > 1)"""
        wait_page(page, lambda: page.evaluate(forgets), "it forgets what was played")
        wait_age(page)
    assert page.locator(".rendition").text_content() == "MSE"


@in_chromium
def test_a_page_without_webrtc_and_mse_has_jpegs(page, filmed):
    page.add_init_script(
        "delete window.RTCPeerConnection; delete window.MediaSource;"
        " delete window.ManagedMediaSource"
    )
    eyelid = filmed()
    open_player(page, eyelid, "MJPEG full")
    wait_drawn(page, "front")
    assert page.locator("video").count() == 0
    assert page.complaints == []


def test_it_says_why_it_is_refused(page, filmed):
    """A browser does not tell its page why there is no WebSocket: the page asks."""
    eyelid = filmed(video="max-viewers = 1")
    with connect(eyelid.url) as other:
        other.sendall(WEBSOCKET)
        assert other.recv(12) == b"HTTP/1.1 101"
        open_player(page, eyelid, "MJPEG full")
        reason = "MSE: there are as many viewers as may be"
        title = page.locator(".rendition")
        wait_page(page, lambda: reason in title.get_attribute("title"), "why")
        page.keyboard.press("i")
        wait_page(page, lambda: reason in fact(page, "way"), "why, in the statistics")


@in_chromium
def test_it_survives_the_end_of_eyelid_video(page, filmed):
    eyelid = filmed()
    open_player(page, eyelid, "WebRTC")
    before = video_program(eyelid)
    os.kill(before, signal.SIGKILL)
    wait_page(page, lambda: page.locator(".rendition").text_content() != "WebRTC", "it notices")
    wait_page(page, lambda: video_program(eyelid) not in (None, before), "it is started again")
    wait_way(page, "WebRTC")


@in_chromium
def test_without_eyelid_video_the_page_is_as_it_was(page, start, filmed, without_video, directory):
    slots, doors = directory / "slots", directory / "doors"
    doors.mkdir()
    there = ["--name", "front", "--slots", slots, "--listen", "127.0.0.1:0", "--doors", doors]
    server = start(without_video / "eyelid-server", *there)
    source = ["--source", "test", "--size", "320x240", "--fps", "15"]
    start(without_video / "eyelid-capture", *source, "--slot", slots / "front")
    url = server.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    page.goto(f"{url}/front/", wait_until="commit")
    wait_drawn(page, "front")
    assert page.locator(".rendition").text_content() == "full"
    assert not page.locator(".stats").is_visible() and not page.locator(".loss").is_visible()
    assert page.evaluate("document.documentElement.className") == "js"
    assert "Video" not in page.locator(".quality select").inner_text()
    page.keyboard.press("i")
    assert page.locator(".statistics").count() == 0
    assert page.complaints == []


# Watches by WHEP, and gives what a restart of ICE came to: RFC 9725 (section 4.3.3) by a browser's
# own hand.
RESTART = """async (patience_ms) => {
  const until = async (holds, what) => {
    const end = performance.now() + patience_ms;
    while (!(await holds())) {
      if (performance.now() > end) throw new Error(`not within the time: ${what}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  };
  const peer = new RTCPeerConnection();
  peer.addTransceiver('video', { direction: 'recvonly' });
  await peer.setLocalDescription(await peer.createOffer());
  const sdp = { 'Content-Type': 'application/sdp' };
  const body = peer.localDescription.sdp;
  const opened = await fetch('/front/whep', { method: 'POST', headers: sdp, body });
  const session = new URL(opened.headers.get('Location'), opened.url);
  const answer = await opened.text();
  await peer.setRemoteDescription({ type: 'answer', sdp: answer });
  const decoded = async () => {
    const reports = [...(await peer.getStats()).values()];
    return reports.find(({ type }) => type === 'inbound-rtp')?.framesDecoded ?? 0;
  };
  await until(async () => (await decoded()) > 5, 'pictures');

  await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }));
  const told = (text, name) => text.match(new RegExp(`^a=${name}:(.*)$`, 'm'))[1].trim();
  const ours = peer.localDescription.sdp;
  const names = ['ice-ufrag', 'ice-pwd'].map((name) => `a=${name}:${told(ours, name)}\\r\\n`);
  const restarted = await fetch(session, {
    method: 'PATCH',
    headers: { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*' },
    body: names.join(''),
  });
  const theirs = await restarted.text();
  const lines = (text, name) => text.split('\\r\\n').filter((line) => line.startsWith(name));
  const renamed = answer.split('\\r\\n')
    .filter((line) => !/^a=(candidate|end-of-candidates)/.test(line))
    .flatMap((line) => {
      const name = line.match(/^a=(ice-ufrag|ice-pwd):/)?.[1];
      return name ? [`a=${name}:${told(theirs, name)}`]
        : line.startsWith('a=mid:') ? [line, ...lines(theirs, 'a=candidate:')] : [line];
    }).join('\\r\\n');
  const ufrag = () => [...peer.getTransceivers()][0].receiver.transport.iceTransport
    .getSelectedCandidatePair()?.local.usernameFragment;
  const before = await decoded();
  await peer.setRemoteDescription({ type: 'answer', sdp: renamed });
  await until(() => ufrag() === told(ours, 'ice-ufrag'), 'a way by the new name');
  await until(async () => (await decoded()) > before + 20, 'pictures after it');
  const state = peer.iceConnectionState;
  const gone = await fetch(session, { method: 'DELETE' });
  peer.close();
  return [opened.headers.get('ETag') !== restarted.headers.get('ETag'), restarted.status, state,
    gone.status];
}"""


@in_chromium
def test_ice_begins_anew_for_a_client_whose_network_changes(page, filmed):
    page.goto(f"{filmed().url}/health", wait_until="commit")
    different, status, state, gone = page.evaluate(RESTART, PATIENCE * 1000)
    assert (different, status, gone) == (True, 200, 200)
    assert state in ("connected", "completed")


# Demand


@in_chromium
def test_a_hidden_tab_lets_the_camera_sleep_and_a_seen_one_wakes_it(page, filmed):
    eyelid = filmed()
    slot = Slot(eyelid.slot.path / "front", eyelid)
    ended = []
    page.on("request", lambda request: request.method == "DELETE" and ended.append(request.url))
    open_player(page, eyelid, "WebRTC")
    with hidden(page):
        slot.wait_state("asleep")
        assert page.locator("video").count() == 0
    assert len(ended) == 1, "the session was ended, not left to time out"
    wait_way(page, "WebRTC")
    assert page.complaints == []


def is_watched_by_webrtc(eyelid):
    """Says whether somebody gets pictures so."""
    video = json.loads(get(eyelid.url, "/status").body)["video"] or {"sessions": []}
    sessions = video["sessions"]
    return any(each["way"] == "webrtc" and each["pictures"] > 5 for each in sessions)


def test_a_browser_that_is_killed_lets_the_camera_sleep(start, filmed, directory):
    """By WebRTC, of which nothing says that the browser is gone. One of its own, without a person
    who watches it.
    """
    eyelid = filmed()
    slot = Slot(eyelid.slot.path / "front", eyelid)
    options = [*FLAGS, "--headless", f"--user-data-dir={directory}/profile"]
    environment = os.environ | {"HOME": str(directory)}
    browser = start("/usr/bin/chromium", *options, f"{eyelid.url}/front/", env=environment)
    wait_for(lambda: is_watched_by_webrtc(eyelid), "it to watch")
    for pid in descendants(browser.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    browser.stop(signal.SIGKILL)
    began = time.monotonic()
    assert slot.state()["state"] == "awake"
    slot.wait_state("asleep")
    # Consent is asked for every 5 s, and gone after 15 s without (RFC 7675, section 5.1).
    assert time.monotonic() - began < 15 + 5 + LINGER_S + OLDEST_S


def test_a_pause_lets_the_camera_sleep(page, filmed):
    eyelid = filmed()
    slot = Slot(eyelid.slot.path / "front", eyelid)
    page.goto(f"{eyelid.url}/front/", wait_until="commit")
    wait_text(page, card(page, "front").locator(".rendition"), "WebRTC", "MSE")
    page.keyboard.press("Space")
    slot.wait_state("asleep")
    assert page.locator("canvas").evaluate("canvas => canvas.width") == 320, "the last picture"
    page.keyboard.press("Space")
    wait_text(page, card(page, "front").locator(".state"), "awake")


@in_chromium
def test_a_session_that_ends_while_the_browser_opens_it_complains_of_nothing(page, filmed):
    """A browser says `sourceopen` later, and then the page may want it no more."""
    page.add_init_script(LATE)
    eyelid = filmed()
    with without_udp(page):
        page.goto(f"{eyelid.url}/front/", wait_until="commit")
        wait_page(page, lambda: page.evaluate("late.length > 0"), "a source was opened")
        page.keyboard.press("Space")
        Slot(eyelid.slot.path / "front", eyelid).wait_state("asleep")
        page.evaluate("late.forEach((listener) => setTimeout(listener))")
        page.wait_for_timeout(100)  # it would complain at once
    assert page.complaints == []


@in_chromium
def test_of_several_cameras_only_the_enlarged_one_is_video(page, filmed):
    page.goto(filmed("front", "back").url, wait_until="commit")
    wait_drawn(page, "front", "back")
    assert page.locator("video").count() == 0
    card(page, "back").get_by_role("button", name="Enlarge back").click()
    wait_way(page, "WebRTC", "back")
    assert card(page, "front").locator(".rendition").text_content() == "full"
    card(page, "back").get_by_role("button", name="Back to grid").click()
    wait_way(page, "full", "back")
    assert page.locator("video").count() == 0
    assert page.complaints == []


@in_chromium
def test_who_chooses_a_size_has_jpegs_of_it(page, filmed):
    open_player(page, filmed(), "WebRTC")
    page.locator(".quality select").select_option("half")
    wait_way(page, "half")
    assert page.locator("video").count() == 0
    page.locator(".quality select").select_option("video")
    wait_way(page, "WebRTC")


# What it says


@in_chromium
@pytest.mark.parametrize("udp", [True, False], ids=["webrtc", "mse"])
def test_the_age_needs_no_right_clock(page, filmed, udp):
    page.add_init_script(SHIFTED)
    if udp:
        open_player(page, filmed(), "WebRTC")
        wait_age(page)
        return
    with without_udp(page):
        open_player(page, filmed(), "MSE")
        wait_age(page)


def test_statistics_say_what_comes(page, filmed):
    page.goto(f"{filmed().url}/front/", wait_until="commit")
    wait_text(page, page.locator(".rendition"), "WebRTC", "MSE")
    webrtc = page.locator(".rendition").text_content() == "WebRTC"
    page.keyboard.press("i")
    wait_page(page, lambda: number(fact(page, "decoded")) > 20, lambda: "pictures are decoded")
    assert fact(page, "way").startswith("WebRTC" if webrtc else "MSE (WebRTC: ")
    assert re.fullmatch(r"320 . 240", fact(page, "size"))
    assert fact(page, "codec").startswith("H.264 42")
    for name in "rate", "bitrate", "age", "dropped", *(["jitter", "round trip"] if webrtc else []):
        wait_page(page, lambda name=name: number(fact(page, name)) >= 0, name)
    assert number(fact(page, "rate")) < 20, "the camera gives 15 a second"
    assert_accessible(page)
    page.mouse.move(100, 200)  # the bar is there for three seconds after any movement
    page.get_by_role("button", name="Statistics of front").click()
    assert page.locator(".statistics").count() == 0


@in_chromium
@pytest.mark.parametrize("size", [PHONE, LAPTOP], ids=["phone", "laptop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_player_fills_a_window(window, filmed, size, scheme):
    with window(f"{filmed().url}/front/", size, scheme, names=()) as page:
        wait_way(page, "WebRTC", "front")
        seen = page.evaluate(SEEN)
        assert not seen["wider"] and not seen["higher"], seen
        assert seen["share"] > 0.99, seen
        page.keyboard.press("Shift")  # the bar is there for three seconds after any key
        assert page.evaluate(BROKEN) == []
        for name in ".rate", ".age", ".rendition", *([".bitrate", ".loss"]):
            assert page.locator(name).is_visible(), name
        assert_accessible(page)
        wait_page(
            page,
            lambda: "idle" in page.evaluate("document.documentElement.className"),
            "the bar goes",
        )
        page.keyboard.press("Tab")
        wait_page(
            page,
            lambda: page.locator(".bar").evaluate("bar => getComputedStyle(bar).opacity") == "1",
            "a key brings the bar back",
        )
        assert page.complaints == []


# What decides


@in_chromium
def test_the_ladder_opens_the_best_way_that_goes(page, cameras):
    page.goto(cameras().url, wait_until="commit")
    wait_page(page, lambda: page.evaluate("typeof Ladder === 'function'"), "its script")
    plans = page.evaluate("""() => {
      const ladder = new Ladder();
      const plan = (now, running) => {
        const { open, close, ask_ms } = ladder.plan(now, new Map(Object.entries(running)));
        return [open.join(), close.join(), ask_ms];
      };
      const tries = (since_ms) => ({ since_ms, shows: false });
      const shows = { since_ms: 0, shows: true };
      const seen = [plan(0, {})];
      seen.push(plan(500, { webrtc: tries(0) }));
      seen.push(plan(1000, { webrtc: tries(0) }));
      seen.push(plan(2000, { webrtc: tries(0), mse: tries(1000) }));
      seen.push(plan(2100, { webrtc: tries(0), mse: shows, mjpeg: tries(2000) }));
      ladder.ended('webrtc', 3000, new Error('no'), 0);
      seen.push(plan(3000, { mse: shows }));
      seen.push(plan(11000, { mse: shows }));
      seen.push(plan(11500, { webrtc: tries(11000), mse: shows }));
      seen.push(plan(11600, { webrtc: shows, mse: shows }));
      ladder.ended('webrtc', 20000, new Error('no'), 0);
      seen.push(plan(20000, {}));
      ladder.ended('webrtc', 40000, new Error('lost'), 30000);
      seen.push(plan(40000, {}));
      return seen;
    }""")
    never = float("inf")
    assert plans == [
        ["webrtc", "", 1000],
        ["", "", 1000],
        ["mse", "", 2000],
        ["mjpeg", "", 3000],
        ["", "mjpeg", never],
        ["", "", 11000],
        ["webrtc", "", 12000],
        ["", "", 12000],
        ["", "mse", never],
        ["mse", "", 21000],
        ["webrtc", "", 41000],
    ]


@in_chromium
def test_why_no_picture_comes_is_the_servers_word(page, cameras):
    page.goto(cameras().url, wait_until="commit")
    wait_page(page, lambda: page.evaluate("typeof MseSession === 'function'"), "its script")
    reasons = page.evaluate("""() => {
      const session = new MseSession({ status: { state: 'awake', fps: 10 } }, () => {});
      const watched = () => {
        let why = '';
        session.last_ms = performance.now() - 10000;
        session.watch((error) => { why = error.message; });
        return why;
      };
      Object.assign(session, { pending: [], captures: [], keys: [], bytes: 0 });
      const seen = [watched()];
      session.told({ type: 'obstacle', reason: 'the encoder failed' });
      seen.push(watched());
      session.take(new ArrayBuffer(40));
      seen.push(watched());
      return seen;
    }""")
    silent = "no picture came any more"
    assert reasons == [silent, "the encoder failed", silent]


@in_chromium
def test_a_picture_that_stands_is_told_soon(page, cameras):
    page.goto(cameras().url, wait_until="commit")
    wait_page(page, lambda: page.evaluate("typeof whyItStands === 'function'"), "its script")
    told = page.evaluate("""() => [
      [{ state: 'awake', waiting: 'none in folder' }, 2, { longest_ms: 10000 }],
      [{ state: 'awake', waiting: 'none in folder' }, 1, {}],
      [{ state: 'awake' }, 2, { obstacle: 'too small' }],
      [{ state: 'awake' }, 3.1, { longest_ms: 40 }],
      [{ state: 'awake' }, 2.9, { longest_ms: 40 }],
      [{ state: 'awake' }, 11, { longest_ms: 10000 }],
      [{ state: 'awake', fps: 0.1 }, 29, { longest_ms: 40 }],
      [{ state: 'awake', fps: 0.1 }, 31, { longest_ms: 40 }],
      [{ state: 'asleep', waiting: 'none in folder' }, 60, {}],
      [null, 60, {}],
    ].map(([status, silent_s, session]) => {
      const seen = { obstacle: '', longest_ms: 0, ...session, last_ms: 100000 };
      const waiting = { waiting: null, fps: null, ...status };
      return whyItStands(seen, status && waiting, 100000 + 1000 * silent_s);
    })""")
    none = "The camera is awake, and gives no picture."
    assert told == ["none in folder", "", "too small", none, "", "", "", none, "", ""]
    card = page.evaluate("""() => Camera.prototype.describe.call({
      session: { obstacle: '', longest_ms: 40, last_ms: performance.now() - 3500 },
      status: { state: 'awake', waiting: 'none in folder' },
      arrived: true, shown: { real: true },
    })""")
    assert card == {"state": "no signal", "message": "No picture comes", "more": "none in folder"}


@in_chromium
def test_a_way_that_shows_nothing_yet_says_why(page, cameras):
    page.goto(cameras().url, wait_until="commit")
    wait_page(page, lambda: page.evaluate("typeof MseSession === 'function'"), "its script")
    said = page.evaluate("""() => {
      const ladder = new Ladder();
      const session = new MseSession({ status: { state: 'awake' } }, () => {});
      session.onObstacle = (why) => ladder.hindered('mse', why);
      session.told({ type: 'obstacle', reason: 'too small' });
      const seen = [ladder.above('mjpeg', 0), ladder.plan(0, new Map()).open];
      ladder.works('mse');
      session.shown_since_ms = 1;
      session.told({ type: 'obstacle', reason: 'it passes' });
      return [...seen, ladder.above('mjpeg', 0)];
    }""")
    assert said == [["MSE: too small"], ["webrtc"], []]


@in_chromium
def test_mse_follows_what_has_come(page, cameras):
    page.goto(cameras().url, wait_until="commit")
    wait_page(page, lambda: page.evaluate("typeof playbackRate === 'function'"), "its script")
    rates = page.evaluate("""() => [
      [0.08, 1], [0.13, 1], [0.1, 1.15], [0.08, 1.15],
      [0.03, 1], [0.05, 0.9], [0.09, 0.9], [1.1, 1],
    ].map(([gap, rate]) => playbackRate(gap, rate))""")
    assert rates == [1, 1.15, 1.15, 1, 0.9, 0.9, 1, None]


@in_chromium
def test_a_timestamp_of_rtp_is_a_moment(page, cameras):
    page.goto(cameras().url, wait_until="commit")
    wait_page(page, lambda: page.evaluate("typeof captureOfRtp === 'function'"), "its script")
    ages = page.evaluate("""() => [1795220362878, 2 ** 41, 47721858843 * 37].flatMap((now) =>
      [40, 0, -5, 59000, 3600000].map((age) => {
        const capture = captureOfRtp(Math.round((now - age) * 90) % 2 ** 32, now);
        return capture === null ? null : Math.round(now - capture);
      }))""")
    assert ages == [40, 0, -5, 59000, None] * 3
