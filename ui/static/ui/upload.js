// Uploads to a fileset: dropped or chosen files go straight to the files API, each with its progress, a few at a time.
const AT_ONCE = 3;
const panel = document.getElementById("upload");
const chosen = document.getElementById("chosen");
const drop = document.getElementById("drop");
const list = document.getElementById("uploads");
chosen.hasChangeListener = true; // else the theme's script looks for a text field of its own beside it
const waiting = [];
let running = 0;
let replacing = "";

function addressOf(path) {
  return panel.dataset.address + path.split("/").map(encodeURIComponent).join("/");
}

function made(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

function button(text, about, act) {
  const element = made("button", text, "btn mini");
  element.type = "button";
  element.setAttribute("aria-label", `${text} ${about}`);
  element.addEventListener("click", act);
  return element;
}

// One line of the list: what is uploaded, how far it is, what can be done about it.
class Upload {
  constructor(file, path) {
    this.file = file;
    this.path = path;
    this.bar = made("progress");
    this.bar.max = 1;
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", `Upload of ${path}`);
    this.said = made("span", "waits", "soft small");
    this.buttons = made("span", "", "toolbar");
    const line = made("span", "", "line");
    line.append(made("strong", path, "wrap"), this.buttons);
    this.item = made("li");
    this.item.append(line, this.bar, this.said);
    list.append(this.item);
  }

  say(text, tone = "", ...buttons) {
    this.said.textContent = text;
    this.said.className = tone === "bad" ? "wrong small" : "soft small";
    this.bar.className = tone;
    this.buttons.replaceChildren(...buttons);
  }

  // Asks before it stores a file in the place of another.
  async begin(replace) {
    if (!replace && (await this.isThere())) {
      const again = () => enqueue(this, true);
      this.say("A file of this path is there already.", "warn", button("Replace", this.path, again), this.dismiss());
      return;
    }
    await this.send();
  }

  async isThere() {
    const found = await fetch(`${panel.dataset.address.replace(/-\/$/, "files")}?path=${encodeURIComponent(this.path)}`);
    if (!found.ok) return false; // the upload itself will say what is wrong
    return (await found.json()).data.some((file) => file.path === this.path);
  }

  send() {
    return new Promise((ended) => {
      const request = new XMLHttpRequest();
      const end = (text, tone, ...buttons) => {
        this.say(text, tone, ...buttons);
        ended();
      };
      const failed = (why) => {
        document.getElementById("uploaded").textContent = `${this.path} was not uploaded: ${why}`;
        end(`Not uploaded: ${why}`, "bad", button("Try again", this.path, () => enqueue(this, true)), this.dismiss());
      };
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable || !event.total) return;
        this.bar.value = event.loaded / event.total;
        const share = Math.floor((100 * event.loaded) / event.total);
        this.said.textContent = share < 100 ? `${share} %` : "sent; the server stores it";
      });
      request.addEventListener("load", () => {
        if (request.status !== 200) return failed(reason(request));
        this.bar.value = 1;
        document.getElementById("uploaded").textContent = `${this.path} is uploaded.`;
        end("uploaded", "good", this.dismiss());
        document.getElementById("files").dispatchEvent(new Event("uploaded"));
      });
      request.addEventListener("error", () => failed("the connection to the server broke off."));
      request.addEventListener("abort", () => end("Cancelled; nothing was stored.", "warn", this.dismiss()));
      request.open("PUT", addressOf(this.path));
      request.setRequestHeader("Content-Type", "application/octet-stream");
      this.say("begins", "", button("Cancel", this.path, () => request.abort()));
      request.send(this.file);
    });
  }

  dismiss() {
    return button("Dismiss", this.path, () => this.item.remove());
  }
}

function reason(request) {
  try {
    const detail = JSON.parse(request.responseText).detail;
    return typeof detail === "string" ? detail : JSON.stringify(detail);
  } catch {
    return `the server answered ${request.status}.`;
  }
}

function enqueue(upload, replace) {
  upload.bar.value = 0;
  upload.say("waits");
  waiting.push(() => upload.begin(replace));
  next();
}

async function next() {
  if (running >= AT_ONCE || !waiting.length) return;
  running += 1;
  try {
    await waiting.shift()();
  } finally {
    running -= 1;
    next();
  }
}

function take(files, as = "") {
  const folder = document.getElementById("folder").value.trim().replace(/^\/+|\/+$/g, "");
  const limit = Number(panel.dataset.limit || Infinity);
  for (const file of files) {
    const upload = new Upload(file, as || (folder ? `${folder}/${file.name}` : file.name));
    const large = `Not uploaded: the server takes files of up to ${panel.dataset.limitText}.`;
    if (file.size > limit) upload.say(large, "bad", upload.dismiss());
    else enqueue(upload, Boolean(as));
  }
}

chosen.addEventListener("change", () => {
  take(chosen.files, replacing);
  chosen.value = ""; // the same file may be chosen again
  chosen.multiple = true;
  replacing = "";
});
document.addEventListener("click", (event) => {
  const replace = event.target.closest("[data-replace]");
  if (!replace) {
    if (event.target === chosen && event.isTrusted) {
      replacing = "";
      chosen.multiple = true;
    }
    return;
  }
  replacing = replace.dataset.replace;
  chosen.multiple = false;
  chosen.click();
});
for (const kind of ["dragover", "drop"]) {
  // A file that misses the box must not take the page's place.
  window.addEventListener(kind, (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
}
for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, () => drop.classList.add("over"));
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  const folders = [...event.dataTransfer.items].filter((item) => item.webkitGetAsEntry?.()?.isDirectory);
  if (folders.length) {
    const upload = new Upload(null, folders.map((item) => item.webkitGetAsEntry().name).join(", "));
    return upload.say("Not uploaded: drop the files of the folder, not the folder.", "bad", upload.dismiss());
  }
  take(event.dataTransfer.files);
});
window.addEventListener("beforeunload", (event) => (running ? event.preventDefault() : undefined));
