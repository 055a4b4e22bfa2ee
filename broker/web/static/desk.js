// What the pages cannot do without a script, and none of them needs: keys, copying, passkeys, a break.
(() => {
  "use strict";
  const one = (selector) => document.querySelector(selector);
  const typing = (el) => el.closest("input:not([type=checkbox]):not([type=radio]):not([type=submit]), textarea, select, [contenteditable]");
  const visible = (el) => el.offsetParent !== null && !el.disabled;

  // Keys: whatever carries data-key is pressed by that key; rows are walked with j and k.
  const rows = () => [...document.querySelectorAll("[data-row]")].filter(visible);
  const walk = (step) => {
    const all = rows(), at = all.indexOf(document.activeElement.closest("[data-row]"));
    const next = all[Math.min(all.length - 1, Math.max(0, at + step))];
    if (next) { (next.matches("a, button") ? next : next.querySelector("a, button, input") || next).focus(); }
  };
  const keyed = (key) => [...document.querySelectorAll("[data-key]")].find((el) => el.dataset.key === key && visible(el));
  const help = () => {
    const list = one("#keys-list");
    list.replaceChildren();
    const line = (key, text) => {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = key; dd.textContent = text; list.append(dt, dd);
    };
    if (rows().length) { line("j", list.dataset.next); line("k", list.dataset.before); line("Enter", list.dataset.open); }
    document.querySelectorAll("[data-key]").forEach((el) => {
      if (visible(el) && el.dataset.key !== "?") line(el.dataset.key, el.dataset.keyName || el.textContent.replace(/\s+/g, " ").trim());
    });
    one("#keys").showModal();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    // A key held down repeats, on the next page too: it would answer for cases nobody has seen.
    if (event.repeat && event.key !== "j" && event.key !== "k") return;
    if (document.documentElement.dataset.keys === "off" || typing(event.target) || one("dialog[open], form[inert]")) return;
    if (event.key === "j") walk(1);
    else if (event.key === "k") walk(-1);
    else if (event.key === "?") help();
    else {
      const found = keyed(event.key);
      if (!found) return;
      if (found.matches("input:not([type=submit]):not([type=checkbox]):not([type=radio]), textarea, select, summary")) found.focus();
      else found.click();
    }
    event.preventDefault();
  });

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      await navigator.clipboard.writeText(copy.dataset.copy);
      copy.setAttribute("aria-pressed", "true");
    }
    const close = event.target.closest("[data-close]");
    if (close) { one("#" + close.dataset.close).hidden = true; sessionStorage.setItem("since", Date.now()); }
  });

  // What is asked of a form while it stands there (it is kept, a row more, a row less) and has no answer yet.
  // One at a time (hx-sync), so that none overtakes another.
  const asked = new Map();
  const quiet = async (form) => { while (asked.has(form)) await asked.get(form).over; };
  document.addEventListener("htmx:before:request", (event) => {
    const waits = {};
    waits.over = new Promise((done) => { waits.done = done; });
    asked.set(event.detail.ctx.request.form, waits);
  });
  document.addEventListener("htmx:finally:request", (event) => {
    const form = event.detail.ctx.request.form, waits = asked.get(form);
    asked.delete(form);
    if (waits) waits.done();
  });

  // A form that is sent while the server is away would be gone with the page: first hear whether it answers. And
  // nothing kept may arrive after it: it would be among the unfinished forms once it is taken in.
  document.addEventListener("submit", async (event) => {
    const form = event.target, away = form.querySelector("[data-away]");
    if (!away || form.dataset.answered) return;
    event.preventDefault();
    try {
      await fetch(one("link[rel=stylesheet]").href, { method: "HEAD", cache: "no-store" });
      await quiet(form);
      form.dataset.answered = "yes";
      away.hidden = true;
      form.requestSubmit(event.submitter);
    } catch {
      away.hidden = false;
      away.focus();
    } finally {
      delete form.dataset.answered;
    }
  });

  // What comes back moves the page: it waits until the pointer is let go, or what was pressed would not be clicked.
  let held = Promise.resolve();
  document.addEventListener("pointerdown", () => {
    held = new Promise((free) => ["pointerup", "pointercancel"].forEach((end) => document.addEventListener(end, () => setTimeout(free), { once: true })));
  }, true);

  // While a form is made anew (a row more, a row less) nothing can be typed into the old one: it would be gone
  // with it. Nor may keeping it, begun meanwhile, take the place of what was asked.
  document.addEventListener("htmx:config:request", (event) => {
    const ctx = event.detail.ctx, button = ctx.sourceElement, form = button.closest("form");
    if (leaving || (form && form.inert)) { event.preventDefault(); return; }
    if (button.matches("[data-anew]")) form.inert = true;
    ctx.fetch = async (...what) => {
      const answer = await fetch(...what);
      await answer.clone().text();
      await held;
      return answer;
    };
  });
  document.addEventListener("htmx:finally:request", (event) => {
    const button = event.detail.ctx.sourceElement;
    if (!button.matches("[data-anew]")) return; // or it was made anew, and this is the new form
    button.form.inert = false;
    button.focus();
  });
  const answers = (hidden) => (event) => {
    const form = event.detail.ctx.sourceElement.closest("form"), away = form && form.querySelector("[data-away]");
    if (away) away.hidden = hidden;
  };
  document.addEventListener("htmx:error", answers(false));
  document.addEventListener("htmx:after:request", answers(true));

  // Passkeys (WebAuthn): options come with the form, what the authenticator says goes back in it.
  const raw = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const bytes = (options) => {
    options.challenge = raw(options.challenge);
    if (options.user) options.user.id = raw(options.user.id);
    for (const list of [options.allowCredentials, options.excludeCredentials]) (list || []).forEach((c) => { c.id = raw(c.id); });
    return options;
  };
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const plain = (found) => {
    const said = found.response, out = { id: found.id, rawId: text(found.rawId), type: found.type, response: {}, clientExtensionResults: found.getClientExtensionResults() };
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) if (said[name]) out.response[name] = text(said[name]);
    if (said.getTransports) out.response.transports = said.getTransports();
    return out;
  };
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.passkey || form.elements.passkey.value) return;
    event.preventDefault();
    if (form.dataset.asking) return; // it is at the key already
    form.dataset.asking = "yes";
    const options = bytes(JSON.parse(form.dataset.options));
    try {
      const found = form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey: options })
        : await navigator.credentials.get({ publicKey: options });
      form.elements.passkey.value = JSON.stringify(plain(found));
      form.requestSubmit(event.submitter);
    } catch {
      const words = form.querySelector("[data-failed]");
      if (words) words.hidden = false;
    } finally {
      delete form.dataset.asking;
    }
  });
  if (!window.PublicKeyCredential) document.querySelectorAll("[data-passkey]").forEach((form) => { form.hidden = true; });

  // A page that was sent is not sent a second time: of a double click the second answer would be shown, which is
  // about the first. The last to hear of it, so that what another one stopped is not taken for sent. A file leaves
  // the page as it is; who stopped the browser can send again after a while.
  let leaving = false;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.target || form.matches("[data-file]")) return;
    if (leaving) { event.preventDefault(); return; }
    leaving = true;
    setTimeout(() => { leaving = false; }, 10000);
  });
  window.addEventListener("pageshow", () => { leaving = false; });

  // The end of a session is said before it comes, and put off by one press (any page asked for puts it off).
  const idle = one("#idle"), limit = Number(document.body.dataset.idle) * 60000;
  if (idle) {
    const touched = () => { localStorage.setItem("touched", Date.now()); idle.hidden = true; };
    const look = () => {
      const left = limit - (Date.now() - Number(localStorage.getItem("touched")));
      idle.hidden = left > 120000;
      idle.querySelector("[data-soon]").hidden = left <= 0;
      idle.querySelector("[data-over]").hidden = left > 0;
      idle.querySelector("[data-stay]").hidden = left <= 0;
    };
    touched();
    document.addEventListener("htmx:after:request", touched);
    idle.querySelector("[data-stay]").addEventListener("click", async () => {
      const answer = await fetch(idle.dataset.ask, { cache: "no-store", redirect: "manual" });
      if (answer.ok) touched();
    });
    setInterval(look, 15000);
  }

  // A break, as often as the person chose; 0 is never. Nothing moves, nothing sounds.
  const minutes = Number(document.body.dataset.pause);
  if (minutes > 0) {
    if (!sessionStorage.getItem("since")) sessionStorage.setItem("since", Date.now());
    setInterval(() => {
      if (Date.now() - Number(sessionStorage.getItem("since")) > minutes * 60000) one("#pause").hidden = false;
    }, 15000);
  }
})();
