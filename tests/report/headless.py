"""A headless Chromium, driven over its own debugging pipe; nothing but the browser is needed."""

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
)
_KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Space": ("Space", 32, " "),
    "Down": ("ArrowDown", 40, ""),
}
PATIENCE = 120


class Page:
    """One tab: what it logged and asked for, and a keyboard for it."""

    def __init__(self, out, into):
        self._out, self._into, self._buffer, self._count = out, into, b"", 0
        self.events = []
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        return self._send(method, session=self._session, **params)

    def _send(self, method, session=None, **params):
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._count:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._into], [], [], PATIENCE)
            assert ready, "the browser does not answer"
            chunk = os.read(self._into, 1 << 20)
            assert chunk, "the browser is gone"
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, path, fragment=""):
        """Load a file anew: from an empty page, so that a fragment alone is a load as well."""
        for url in ("about:blank", path.absolute().as_uri() + fragment):
            self.events.clear()
            self.send("Page.navigate", url=url)
            self._until(lambda: any(e["method"] == "Page.loadEventFired" for e in self.events))

    def _until(self, done):
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, "the page does not settle"
            self.evaluate("0")
            time.sleep(0.02)

    def evaluate(self, script):
        found = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key):
        """Press and release one key, as a person would."""
        name, code, text = _KEYS.get(key, (key, 0, key))
        about = {"key": name if key != "Space" else " ", "code": name}
        about |= {"windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code}
        down = "keyDown" if text else "rawKeyDown"
        self.send("Input.dispatchKeyEvent", type=down, text=text, **about)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text):
        self.send("Input.insertText", text=text)

    def tab_to(self, condition, most=400):
        """Press Tab until the focused element, `at`, fulfils a condition in JavaScript."""
        for _ in range(most):
            self.press("Tab")
            if self.evaluate(f"(at => Boolean({condition}))(document.activeElement)"):
                return
        raise AssertionError(f"no Tab stop where {condition}")

    def view(self, width, height=900, dark=False, media=""):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def requests(self):
        """Every address the page asked for."""
        sent = (e for e in self.events if e["method"] == "Network.requestWillBeSent")
        return [event["params"]["request"]["url"] for event in sent]

    def complaints(self):
        """What the console and the browser's log said, warnings included."""
        said = []
        for event in self.events:
            if event["method"] == "Runtime.consoleAPICalled":
                said.append(event["params"]["args"])
            elif event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded"):
                said.append(event["params"])
        return said


@contextlib.contextmanager
def browser(profile):
    """Start the browser with a fresh profile folder, and end it."""
    to_child, out = os.pipe()
    into, from_child = os.pipe()
    # The child reads on 3 and writes on 4, so ours must not lie there when they are copied.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_child, from_child)]

    def place():
        os.dup2(ends[0], 3)
        os.dup2(ends[1], 4)

    # Root has no user to build the sandbox from.
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    process = subprocess.Popen(
        [CHROMIUM, *_FLAGS, *root, f"--user-data-dir={profile}", "about:blank"],
        preexec_fn=place,
        pass_fds=(3, 4),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for end in (to_child, from_child, *ends):
        os.close(end)
    try:
        yield Page(out, into)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
        os.close(out)
        os.close(into)
