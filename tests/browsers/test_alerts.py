"""The page of alerts, behind the server's door.

What a browser decides (how wide things are, what it sends of another page's) is tried in Chromium
and Firefox, all of it.
"""

import json
import threading
from base64 import b64encode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from looking import LAPTOP, PHONE, assert_accessible, card, in_chromium, wait_page, watched_page

from harness.alerts import MARKUP, SIZE, THING, Alerts, Model
from harness.browser import in_colours
from harness.http import get
from harness.idle_class import wait_watched

USER = {"Authorization": "Basic " + b64encode(b"anna:secret").decode()}

# A box over the picture, in shares of that.
PLACES = """(card) => {
  const picture = card.querySelector('img').getBoundingClientRect();
  return [...card.querySelectorAll('.box')].map((box) => {
    const { left, top, width, height } = box.getBoundingClientRect();
    return {
      left: (left - picture.left) / picture.width, top: (top - picture.top) / picture.height,
      width: width / picture.width, height: height / picture.height,
    };
  });
}"""

# In the place of the browser's own, which no test can see.
NOTIFICATIONS = """
window.shown = [];
window.requests = 0;
window.Notification = class extends EventTarget {
  static permission = 'default';
  static async requestPermission() { requests++; return this.permission = 'granted'; }
  constructor(title, { body, tag }) { super(); shown.push({ title, body, tag }); }
  close() {}
};
"""


@pytest.fixture
def alerts(directory):
    """What was seen so far: nothing."""
    return Alerts(directory)


@pytest.fixture
def model():
    """Somebody who answers "yes", with `asked`."""
    with serving(Model) as server:
        server.asked = []
        yield server


@contextmanager
def serving(handler):
    """Serves HTTP on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def watched(eyelid, alerts, directory, model):
    """Starts `eyelid` with two cameras and rules of theirs; only users who sign in may look."""

    def watched(*more, ask=True, password=True, title="Front door"):
        server = ""
        if password:
            secret = directory / "password"
            secret.write_text("anna:secret\n")
            server = f"password-file = {json.dumps(str(secret))}\n"
        config = directory / "eyelid.toml"
        config.write_text(
            f"[server]\n{server}[watch]\nask-on-page = {json.dumps(ask)}\n{alerts.tables()}"
            f'[watch.model]\nurl = "{model.url}/v1"\nmodel = "made-up"\n'
            f'[cameras.door]\nsource = "test"\nsize = "320x240"\ntitle = {json.dumps(title)}\n'
            '[cameras.door.watch.rules.parcel]\nsays = "a parcel has been left"\n'
            '[cameras.printer]\nsource = "test"\nsize = "320x240"\n'
            '[cameras.printer.watch.rules.jam]\nstill = "5min"\nnotify = ["pause"]\n'
            '[watch.notify.phone]\nntfy = "http://127.0.0.1:9/topic"\n'
            '[watch.notify.pause]\ncommand = "true"\n'
        )
        return eyelid("--config", config, *more)

    return watched


@pytest.fixture
def look(browser):
    """Opens the page of alerts, signed in; gives it with its complaints."""
    opened = []

    def look(eyelid, query="", size=LAPTOP, scheme="light", script=""):
        coloured = in_colours(browser.browser, scheme)
        context = coloured.__enter__().new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
        )
        opened.append((coloured, context))
        page = watched_page(context)
        if script:
            page.add_init_script(script)
        page.goto(eyelid.url.replace("://", "://anna:secret@") + "/alerts" + query)
        live = page.locator("#live.is-live")
        wait_page(page, lambda: live.count() == 1, lambda: f"live; {page.complaints}")
        return page

    yield look
    for coloured, context in reversed(opened):
        context.close()
        coloured.__exit__(None, None, None)


def names(page):
    """Gives the names of the alerts that are shown, from above."""
    return page.eval_on_selector_all(".alert", "cards => cards.map(card => card.dataset.id)")


def wait_names(page, *wanted):
    """Waits until these alerts are shown, and no others."""
    wait_page(page, lambda: names(page) == list(wanted), lambda: f"{wanted}, not {names(page)}")


def shown(page, name):
    """Gives the card of an alert."""
    return page.locator(f'.alert[data-id="{name}"]')


def test_what_is_seen_comes_by_itself_and_in_its_place(watched, look, alerts):
    page = look(watched())
    assert page.locator("#none").is_visible()
    late = alerts.put(20, asked="a parcel has been left", reason="a box", confidence=0.93)
    wait_names(page, late)
    early = alerts.put(10, rule="visitor")
    wait_names(page, late, early)
    text = shown(page, late).inner_text()
    for said in ("Front door: parcel", "a parcel has been left", "a box", "sure: 93 %"):
        assert said in text, text
    assert page.complaints == []


def test_boxes_lie_where_the_thing_is(watched, look, alerts):
    box = THING | {"label": "box", "confidence": 0.8}
    name = alerts.put(1, boxes=[box, THING | {"left": 2}])
    page = look(watched())
    wait_names(page, name)
    image = shown(page, name).locator("img")
    wait_page(page, lambda: image.evaluate("image => image.naturalWidth") == SIZE[0], "loaded")

    def assert_place(element):
        places = element.evaluate(PLACES)
        assert len(places) == 1, places
        for side, share in THING.items():
            assert abs(places[0][side] - share) < 0.02, places

    assert_place(shown(page, name))
    shown(page, name).locator("button.picture").click()
    assert_place(page.locator("#large"))
    assert "box 80 %" in page.locator("#large").inner_text()


def test_a_filter_leaves_the_others_out_also_those_that_come(watched, look, alerts):
    parcel, jam = alerts.put(1), alerts.put(2, "printer", "jam")
    page = look(watched())
    wait_names(page, jam, parcel)
    page.select_option("#camera", "door")
    wait_names(page, parcel)
    assert page.url.endswith("/alerts?camera=door")
    alerts.put(3, "printer", "jam")
    newer = alerts.put(4)
    wait_names(page, newer, parcel)
    page.select_option("#rule", "jam")
    wait_names(page)
    assert "Nothing of this" in page.locator("#none").inner_text()
    page.select_option("#camera", "")
    wait_page(page, lambda: len(names(page)) == 2, "both of the printer")


def test_older_ones_are_asked_for_and_the_page_has_an_end(watched, look, alerts):
    made = [alerts.put(second, has_picture=False) for second in range(45)]
    page = look(watched())
    wait_names(page, *reversed(made[25:]))
    page.click("#older")
    page.click("#older")
    wait_names(page, *reversed(made))
    assert page.locator("#older").is_hidden()


def test_a_wrong_alert_is_a_case_until_it_is_taken_back(watched, look, alerts):
    name = alerts.put(1)
    eyelid = watched()
    page, other = look(eyelid), look(eyelid)
    for each in (page, other):
        wait_names(each, name)
    wrong = shown(page, name).locator(".wrong")
    wrong.click()
    wait_page(page, lambda: wrong.get_attribute("aria-pressed") == "true", "kept")
    assert alerts.cases() == [name]
    assert "none from before it" in page.locator("#notice").text_content()
    case = json.loads((alerts.alerts / "cases" / name / "case.json").read_text())
    assert case["wrong"]["user"] == "anna"
    assert case["pictures"] == [{"file": "1.jpg", "before_ms": 0}]
    seen = shown(other, name).locator(".wrong")
    wait_page(other, lambda: seen.get_attribute("aria-pressed") == "true", "told, too")
    wrong.click()
    wait_page(page, lambda: wrong.get_attribute("aria-pressed") == "false", "taken back")
    assert alerts.cases() == []
    assert 'user "anna" says that alert' in eyelid.log()


def test_blindness_is_seen_until_it_is_over(watched, look, alerts):
    page = look(watched())
    blind = alerts.put(1, rule="blind", kind="blind", has_picture=False, cause="no-frames")
    wait_names(page, blind)
    line = page.locator("#blind li")
    wait_page(page, lambda: line.count() == 1, "one line")
    assert "Front door: cannot see" in line.inner_text()
    alerts.put(60, rule="blind", kind="sees-again", cause="no-frames")
    wait_page(page, lambda: line.count() == 0, "no line")
    assert "Over since" in shown(page, blind).inner_text()
    assert shown(page, blind).locator(".wrong").count() == 0


def test_notifications_are_asked_for_by_a_click_and_shown_once(watched, look, alerts):
    alerts.put(1)
    page = look(watched(), script=NOTIFICATIONS)
    assert page.evaluate("requests") == 0
    alerts.put(2)
    wait_page(page, lambda: len(names(page)) == 2, "the second")
    page.click("#notify")
    wait_page(page, lambda: page.evaluate("requests") == 1, "asked")
    name = alerts.put(3, reason="a box")
    wait_page(page, lambda: page.evaluate("shown.length") > 0, "shown")
    expected = [{"title": "Front door: parcel", "body": "a box", "tag": name}]
    assert page.evaluate("shown") == expected
    page.click("#notify")
    alerts.put(4)
    wait_page(page, lambda: len(names(page)) == 4, "the fourth")
    assert page.evaluate("shown") == expected


@pytest.mark.parametrize("size", [PHONE, LAPTOP], ids=["phone", "laptop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_accessible(watched, look, alerts, size, scheme):
    long = "W" * 300
    alerts.put(1, asked=long[:200], reason=long, boxes=[THING | {"label": long[:64]}])
    alerts.put(2, rule="blind", kind="blind", has_picture=False, reason=long)
    alerts.tell_state("door", {"parcel": "standing"})
    page = look(watched(title="W" * 64), size=size, scheme=scheme)
    wait_page(page, lambda: len(names(page)) == 2, "both")
    wide = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(wide) <= 0
    assert page.complaints == []  # before axe, which adds a script
    assert_accessible(page)
    page.click("#open-rules")
    wait_page(page, lambda: page.locator(".rule").count() == 2, "the rules")
    dialog = page.locator("#rules")
    assert dialog.evaluate("dialog => dialog.scrollWidth - dialog.clientWidth") <= 0
    assert_accessible(page)
    # The ground of the page is what its user likes.
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(", "))) < 300) == (scheme == "dark"), ground


def test_all_is_done_by_keys(watched, look, alerts):
    first, second = alerts.put(1), alerts.put(2)
    page = look(watched())
    wait_names(page, second, first)
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused = "document.activeElement.dataset.id"
    assert page.evaluate(focused) == first
    page.keyboard.press("w")
    wait_page(page, lambda: len(alerts.cases()) == 1, "a case")
    page.keyboard.press("Enter")
    assert page.locator("#large").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#large").is_hidden()
    page.keyboard.press("k")
    assert page.evaluate(focused) == second
    page.keyboard.press("r")
    wait_page(page, page.locator("#rules").is_visible, "the rules")


def test_no_text_becomes_markup(watched, look, alerts):
    rule = "parcel"
    name = alerts.put(
        1, asked=MARKUP, reason=MARKUP, boxes=[THING | {"label": MARKUP[:60]}], rule=rule
    )
    odd = alerts.put(2, rule="odd", kind="blind", reason=MARKUP)
    made = {"name": "made", "says": MARKUP[:150], "author": "<b>", "made": "2026-11-28T14:00:00Z"}
    (alerts.rules / "door.json").write_text(json.dumps({"version": 1, "rules": [made]}))
    page = look(watched(title="<img src=x onerror=\"window.hacked='title'\">"))
    wait_names(page, odd, name)
    assert MARKUP in shown(page, name).locator(".reason").text_content()
    page.click("#open-rules")
    wait_page(page, lambda: page.locator(".rule").count() == 3, "the rules")
    assert MARKUP[:150] in page.locator("#rules").text_content()
    page.fill("textarea", "is there a parcel?")
    page.click(".try")
    said = page.locator("#rules .said")
    wait_page(page, lambda: "Answer: yes" in said.text_content(), said.text_content)
    assert MARKUP[:40] in said.text_content()
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, main svg[onload], #rules img, .reason *").count() == 0
    assert page.complaints == []


def test_a_user_makes_a_rule_tries_it_and_deletes_it(watched, look, alerts, model):
    eyelid = watched()
    page = look(eyelid)
    page.click("#open-rules")
    wait_page(page, page.locator("form").is_visible, "the form")
    cost = page.locator("#cost").inner_text()
    assert "made-up" in cost and "200 a day" in cost
    page.select_option("form select", "printer")
    page.fill("textarea", "Tell me when the print has come loose")
    # Who is told: what only tells is chosen already, what may do something is not.
    ways = page.locator("#ways label")
    shown_ways = [text.strip() for text in ways.all_inner_texts()]
    assert shown_ways == ["phone (ntfy)", "pause (command)"]
    assert [ways.nth(at).locator("input").is_checked() for at in (0, 1)] == [True, False]
    ways.nth(1).click()
    page.click(".try")
    said = page.locator("#rules .said")
    wait_page(page, lambda: "Answer: yes" in said.text_content(), said.text_content)
    pictures = [
        part for part in model.asked[0]["messages"][-1]["content"] if part["type"] == "image_url"
    ]
    assert len(pictures) == 1
    assert alerts.made_rules("printer") == []
    page.click("form .main")
    wait_page(page, lambda: len(alerts.made_rules("printer")) == 1, "it is made")
    rule = alerts.made_rules("printer")[0]
    assert (rule["name"], rule["author"]) == ("print-come-loose", "anna")
    assert rule["notify"] == ["phone", "pause"]
    told = page.locator(".rule", has_text="print-come-loose").locator(".about").all_inner_texts()
    assert "told to phone, pause" in told
    delete = page.locator(".rule button")
    wait_page(page, lambda: delete.count() == 1, "it is shown")
    delete.click()
    assert len(alerts.made_rules("printer")) == 1, "it asks whether that is meant"
    delete.click()
    wait_page(page, lambda: alerts.made_rules("printer") == [], "it is deleted")
    for said in ("tries", "has made rule print-come-loose", "has deleted rule print-come-loose"):
        assert f'user "anna" {said}' in eyelid.log()


@pytest.mark.parametrize(
    "options, why",
    [
        ({"ask": False}, "ask-on-page"),
        ({"ask": ["ben"]}, "names others"),
        ({"password": False}, "no password"),
    ],
    ids=["not-allowed", "others-are", "nobody"],
)
def test_who_may_not_is_told_why_and_has_no_buttons(watched, look, alerts, options, why):
    name = alerts.put(1)
    page = look(watched(**options))
    wait_names(page, name)
    assert shown(page, name).locator(".wrong").is_hidden()
    page.click("#open-rules")
    may_not = page.locator(".may-not")
    wait_page(page, may_not.is_visible, "why not")
    assert why in may_not.inner_text()
    assert page.locator("form").is_hidden()


def test_the_viewer_leads_there_and_says_what_rules_are_in(
    watched, alerts, browser, start, directory
):
    eyelid = watched(password=False)
    socket = directory / "slots/.doors/watch-door/status"
    page = watched_page(browser)
    page.goto(eyelid.url, wait_until="commit")
    link = page.locator("#to-alerts")
    wait_page(page, link.is_visible, "the link")
    assert card(page, "door").locator(".watched").is_hidden()
    socket.parent.mkdir()
    config = directory / "eyelid.toml"
    watcher = start(
        "eyelid-watch", "--name=door", "--slots", directory / "slots", "--config", config,
        "--status", socket,
    )  # fmt: skip
    wait_watched(watcher)
    watched_line = card(page, "door").locator(".watched")
    wait_page(page, watched_line.is_visible, "the line")
    wait_page(page, lambda: "parcel" in watched_line.text_content(), watched_line.text_content)
    watched_line.click()
    wait_page(page, lambda: page.url.endswith("/alerts?camera=door"), lambda: page.url)
    page.close()


# ---- pages of others ----

ATTACK = """<!DOCTYPE html><title>prize</title>
<form id=form method=post enctype=text/plain target=sink action="TARGET/alerts/rules">
<input name='{"camera":"door","says":"' value='x","name":"form"}'></form>
<form id=wrong method=post target=sink2 action="TARGET/alerts/NAME/wrong"></form>
<iframe name=sink></iframe><iframe name=sink2></iframe>
<iframe id=framed src="TARGET/alerts"></iframe>
<img id=seen src="TARGET/alerts/NAME.jpg">
<script>
const body = JSON.stringify({ camera: 'door', says: 'x', name: 'fetch' });
const send = (path, options) => {
  const sent = fetch('TARGET/alerts/' + path, { credentials: 'include', ...options });
  return sent.then((response) => response.type, (error) => 'refused');
};
window.attack = async () => {
  form.submit(); wrong.submit();
  navigator.sendBeacon('TARGET/alerts/rules', new Blob([body], { type: 'text/plain' }));
  return Promise.all([
    send('rules', { method: 'POST', mode: 'no-cors', body }),
    send('NAME/wrong', { method: 'POST', mode: 'no-cors' }),
    send('rules', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }),
    send('NAME/wrong', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }),
    send('rules/door/mine', { method: 'DELETE' }),
    send('rules/try', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }),
    new Promise((done) => {
      const image = new Image();
      image.onload = image.onerror = () => done('image');
      image.src = 'TARGET/alerts/rules?camera=door&says=x';
    }),
  ]);
};
</script>"""


@pytest.mark.parametrize("options", [[], ["--allow-origin=*"]], ids=["", "any-origin"])
def test_a_page_of_others_changes_nothing(watched, look, alerts, model, options):
    name = alerts.put(1)
    eyelid = watched(*options)
    mine = json.dumps({"camera": "door", "says": "x", "name": "mine"})
    sent = {"method": "POST", "body": mine, "Content-Type": "application/json", **USER}
    assert get(eyelid.url, "/alerts/rules", **sent).status == 201  # it could be done
    html = ATTACK.replace("TARGET", eyelid.url).replace("NAME", name).encode()

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html)

        def log_message(self, *_):
            pass

    page = look(eyelid)  # from now on the browser knows the password
    with serving(Stranger) as stranger:
        page.goto(stranger.url)
        seen = page.locator("#seen")
        # The browser sends the password along: nothing but the server's checks stands between.
        wait_page(
            page, lambda: seen.evaluate("image => image.naturalWidth") == SIZE[0], "signed in"
        )
        results = page.evaluate("attack()")
        assert results[-1] == "image" and "basic" not in results, results
        assert page.frame_locator("#framed").locator("#alerts").count() == 0
    rules = [rule["name"] for rule in alerts.made_rules("door")]
    assert (rules, alerts.cases(), model.asked) == (["mine"], [], [])


@in_chromium
def test_it_works_behind_a_prefix(watched, alerts, browser):
    name = alerts.put(1)
    eyelid = watched(password=False)
    page = watched_page(browser)
    page.goto(eyelid.url + "/webcam/alerts/")
    wait_names(page, name)
    image = shown(page, name).locator("img")
    wait_page(page, lambda: image.evaluate("image => image.naturalWidth") == SIZE[0], "loaded")
    assert page.complaints == []
    page.close()
