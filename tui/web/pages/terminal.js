// Before the terminal starts: where its socket is, how large its letters are, and keys for who has no keyboard.
"use strict";

const terminal = document.getElementById("terminal");
terminal.dataset.sessionWebsocketUrl = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`;
terminal.dataset.fontSize = matchMedia("(max-width: 40rem)").matches ? "11" : "15";

// textual.js starts on `load`. The terminal measures its font once, so that must be there before.
const start = window.onload;
window.onload = async (event) => {
  await document.fonts.load('15px "Roboto Mono"').catch(() => {});
  withoutGraphics(() => start(event));
};

// textual.js sets a renderer on WebGL up, which fails where there is none, and puts one on plain canvas in its place at
// once. Meanwhile WebGL is something that takes every call and draws nothing.
const withoutGraphics = (act) => {
  const nothing = new Proxy(() => {}, {
    get: (_, name) => (name === Symbol.toPrimitive ? () => 1 : nothing),
    set: () => true,
    apply: () => nothing,
  });
  const { getContext } = HTMLCanvasElement.prototype;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind === "webgl2" ? nothing : getContext.call(this, kind, ...rest);
  };
  try {
    act();
  } finally {
    HTMLCanvasElement.prototype.getContext = getContext;
  }
};

const KEYS = [
  ["Esc", "Escape", 27],
  ["Tab", "Tab", 9],
  ["\u2190", "ArrowLeft", 37],
  ["\u2193", "ArrowDown", 40],
  ["\u2191", "ArrowUp", 38],
  ["\u2192", "ArrowRight", 39],
  ["\u23ce", "Enter", 13],
];

if (matchMedia("(pointer: coarse)").matches) {
  const keys = document.getElementById("keys");
  for (const [label, key, keyCode] of KEYS) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.setAttribute("aria-label", key);
    // Whatever has the keyboard keeps it, so that the one on the screen neither comes nor goes.
    button.addEventListener("pointerdown", (event) => event.preventDefault());
    button.addEventListener("click", () => {
      const input = terminal.querySelector(".xterm-helper-textarea");
      for (const kind of ["keydown", "keyup"]) {
        input?.dispatchEvent(new KeyboardEvent(kind, { key, code: key, keyCode, bubbles: true, cancelable: true }));
      }
    });
    keys.append(button);
  }
  keys.hidden = false;
  document.body.classList.add("-keys");
}

// Keys go to the terminal as soon as there is one, and to the buttons when it is closed.
new MutationObserver(() => {
  const { classList } = document.body;
  if (classList.contains("-closed")) {
    document.getElementById("again").focus();
  } else if (classList.contains("-first-byte")) {
    terminal.querySelector(".xterm-helper-textarea")?.focus();
  }
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });
