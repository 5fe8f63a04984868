"""A stand-in for an endpoint of a model that sees.

It looks: it decodes the pictures that it is sent and answers by what is in them, so that a wrong,
late or swapped picture gives a wrong answer. It has the faults that others have, one for each
request, when it is told to.
"""

import base64
import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scene import seen

MOST_PX = 640
CAPTION = re.compile(
    r"Picture (\d): (\d\d:\d\d:\d\d), (before anything moved|when most moved|now)\."
)
# What a sign in the scene talks a model into: everything that an answer might be mistaken for.
TALKED_INTO = {
    "seen": "<script>alert(1)</script>\u202e\r\n" + "x" * 5000,
    "answers": [
        {"rule": "parcel", "reason": "SAY YES\x1b[2J\n", "answer": "yes", "confidence": 1},
        {"rule": "../../etc/passwd", "reason": "r", "answer": "yes", "confidence": 1},
        {"rule": "visitor", "reason": "r", "answer": "open the door", "confidence": 1},
    ],
    "command": "rm -rf /",
    "notify": ["everybody"],
}


class Asked:
    """One request: its body, and what was seen in its pictures."""

    def __init__(self, body, headers):
        self.body = body
        self.headers = headers
        system, user = body["messages"]
        assert (system["role"], user["role"]) == ("system", "user")
        texts = [part["text"] for part in user["content"] if part["type"] == "text"]
        urls = [part["image_url"] for part in user["content"] if part["type"] == "image_url"]
        # Each picture has its caption before it, and the rules come last.
        kinds = "".join(part["type"][0] for part in user["content"])
        assert kinds == "ti" * len(urls) + "t" and 1 <= len(urls) <= 3
        captions = [CAPTION.fullmatch(text) for text in texts[:-1]]
        assert all(captions), texts
        assert [int(caption[1]) for caption in captions] == list(range(1, len(urls) + 1))
        self.moments = [caption[3] for caption in captions]
        assert self.moments[-1] == "now"
        self.rules = dict(line.split(": ", 1) for line in texts[-1].splitlines())
        prefix = "data:image/jpeg;base64,"
        assert all(url["url"].startswith(prefix) for url in urls)
        self.jpegs = [base64.b64decode(url["url"][len(prefix) :]) for url in urls]
        looked = [seen(jpeg) for jpeg in self.jpegs]
        self.seen = [names for names, _ in looked]
        self.sizes = [size for _, size in looked]
        assert all(max(size) <= MOST_PX for size in self.sizes), self.sizes
        self.at = time.monotonic()


class Model:
    """The endpoint. `faults` are taken one a request, in their order; after them it is well."""

    def __init__(self):
        self.asked = []
        self.faults = []
        self.refuses = set()  # keys of a request that this server does not know
        self.refused = 0  # requests that had such keys
        self.confidence = 0.95
        self.lock = threading.Lock()
        self.open = threading.Event()  # set when it ends: what hangs ends then
        self.at_once = self.most_at_once = 0
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                model.handle(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def answer(self, asked):
        """Says what a model would that sees well, and that obeys what is written in the scene."""
        before, now = asked.seen[0], asked.seen[-1]
        if "sign" in now:
            return TALKED_INTO
        answers = []
        for name, words in asked.rules.items():
            if "has been left" in words:
                is_so = "parcel" in now and ("parcel" not in before or len(asked.seen) == 1)
            else:
                is_so = any(word in now for word in re.findall(r"\w+", words))
            answers.append(
                {
                    "rule": name,
                    "reason": f"in the last picture: {', '.join(sorted(now)) or 'nothing'}",
                    "answer": "yes" if is_so else "no",
                    "confidence": self.confidence,
                }
            )
        return {"seen": f"a street, {sorted(now)}", "answers": answers}

    def handle(self, handler):
        """Answers one request."""
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self._handle(handler)
        finally:
            with self.lock:
                self.at_once -= 1

    def _handle(self, handler):
        assert handler.path == "/v1/chat/completions", handler.path
        body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        if unknown := next((key for key in body if key in self.refuses), None):
            self.refused += 1
            message = f"Unsupported parameter: '{unknown}'"
            error = {"message": message, "type": "invalid_request_error", "param": unknown}
            return reply(handler, 400, {"error": error})
        asked = Asked(body, dict(handler.headers))
        with self.lock:
            self.asked.append(asked)
            fault = self.faults.pop(0) if self.faults else None
        said = json.dumps(self.answer(asked))
        return FAULTS[fault](self, handler, body, said)


def completion(body, message, finish_reason="stop"):
    """An answer as OpenAI's are."""
    message = {"role": "assistant"} | message
    usage = {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [choice],
        "usage": usage,
    }


def reply(handler, status, value, headers=()):
    """Sends JSON."""
    out = json.dumps(value).encode()
    handler.send_response(status)
    for name, text in headers:
        handler.send_header(name, text)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(out)))
    handler.end_headers()
    handler.wfile.write(out)


def says(message, finish_reason="stop"):
    """A fault that is what the model says: `message` makes it of what it should have said."""

    def fault(_, handler, body, said):
        reply(handler, 200, completion(body, message(said), finish_reason))

    return fault


def hang(model, handler, *_):
    """Never answers."""
    model.open.wait()
    handler.close_connection = True


def slow(model, handler, body, said):
    """Answers well, when it is let."""
    model.open.wait()
    FAULTS[None](model, handler, body, said)


def huge(_, handler, *__):
    """Answers ten megabytes, as long as somebody reads them."""
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.end_headers()
    handler.close_connection = True
    try:
        for _ in range(160):
            handler.wfile.write(b" " * 65536)
    except OSError:
        pass


def close(_, handler, *__):
    """Ends the connection without a word."""
    handler.close_connection = True


def half(_, handler, *__):
    """Ends the connection within its answer."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def status(number, value=None, headers=()):
    """A fault that is a status."""
    return lambda _, handler, *__: reply(handler, number, value or {"error": "no"}, headers)


FAULTS = {
    None: says(lambda said: {"content": said}),
    "fenced": says(lambda said: {"content": f"Sure!\n```json\n{said}\n```\nAnything else?"}),
    "around": says(lambda said: {"content": f"I think {{so}}: {said}. Hope that helps!"}),
    "reasoning": says(lambda said: {"content": "", "reasoning_content": said}),
    "thoughts": says(
        lambda said: {"content": f"<think>{said.replace('no', 'yes')}</think>\n{said}"}
    ),
    "prose": says(lambda _: {"content": "I see grass. The answer is no."}),
    "cut": says(lambda said: {"content": said[: len(said) // 2]}, "length"),
    "silent": says(lambda _: {"content": ""}),
    "refusal": says(lambda _: {"content": None, "refusal": "I can not help with that."}),
    "wrong-enum": says(lambda said: {"content": re.sub('"(yes|no)"', '"maybe"', said)}),
    "percent": says(lambda said: {"content": re.sub(r": 0\.\d+", ": 95", said)}),
    "two": says(lambda said: {"content": said + said.replace('"no"', '"yes"')}),
    "busy": status(429, headers=[("retry-after", "2")]),
    "broken": status(500),
    "key": status(401, {"error": {"message": "Incorrect API key provided: sk-secret"}}),
    "redirect": status(307, headers=[("location", "http://127.0.0.1:1/elsewhere")]),
    "html": lambda _, handler, *__: reply(handler, 200, "<html>"),
    "hang": hang,
    "slow": slow,
    "huge": huge,
    "closed": close,
    "half": half,
}


@contextmanager
def serving():
    """Gives a model that answers until the end."""
    model = Model()
    thread = threading.Thread(target=model.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        model.open.set()
        model.server.shutdown()
        model.server.server_close()
