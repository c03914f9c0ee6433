// Dialogs, row menus, bulk selection, keys, copying, toasts and the line editor. Every page also works without it.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (name, act, capture = false) => document.addEventListener(name, act, capture);
  const words = document.body.dataset;
  const dialog = $("#dialog");
  const toasts = $("#toasts");
  document.documentElement.classList.add("js");

  function toast({ text, href, label, level }) {
    const box = $("#toast").content.firstElementChild.cloneNode(true);
    $("p", box).textContent = text;
    if (href) Object.assign($("a", box), { href, textContent: label || href, hidden: false });
    box.classList.add(level || "done");
    toasts.append(box);
  }
  on("animationend", (event) => event.animationName === "leave" && event.target.remove());
  document.body.addEventListener("toast", (event) => toast(event.detail));

  // The dialog: its address stands in the address bar while it is open, and focus goes back to what opened it.
  let opener = null, address = null;
  function invoker(element) {
    const menu = element.closest(".menu");
    return menu ? $(`[popovertarget="${menu.id}"]`) : element;
  }
  function giveFocusBack() {
    if (!opener || dialog.open || document.activeElement !== document.body) return;
    const again = opener.isConnected ? opener : opener.id && document.getElementById(opener.id);
    (again || (opener.target && $(`[popovertarget="${opener.target}"]`)) || $("main")).focus();
  }
  function show(path) {
    if (!dialog.open) {
      address = path && location.href;
      if (path) history.replaceState(history.state, "", path);
      dialog.showModal();
    }
    ($("[aria-invalid=true]", dialog) || $("[autofocus]", dialog) || $(".dialog-body :is(input:not([type=hidden], [type=radio]), :checked, select, textarea)", dialog)
      || $("[data-close]", dialog))?.focus();
  }
  on("htmx:beforeRequest", ({ detail }) => {
    if (detail.target !== dialog || dialog.open) return;
    opener = invoker(detail.elt);
    opener.target = opener.getAttribute("popovertarget");
    detail.elt.closest("[popover]")?.hidePopover();
  });
  on("htmx:afterSwap", ({ detail }) => {
    if (detail.target === dialog) show(detail.requestConfig.verb === "get" && detail.pathInfo.finalRequestPath);
  });
  on("htmx:afterSettle", giveFocusBack);
  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    if (address) history.replaceState(history.state, "", address);
    address = null;
    giveFocusBack();
  });
  document.body.addEventListener("done", (event) => {
    dialog.close();
    if (event.detail.text) toast(event.detail);
  });

  // A form that is on its way cannot be sent again. GET forms and [data-stays] (downloads) leave the page where it is.
  function busy(form, sending, button) {
    form.toggleAttribute("data-sending", sending);
    $$("button:not([type=button]), input[type=submit]", form).forEach((each) => { each.disabled = sending; });
    button?.setAttribute("aria-busy", sending);
  }
  on("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented || form.matches("[data-stays]")) return;
    if (form.matches("[data-sending]")) event.preventDefault();
    else setTimeout(() => busy(form, true, event.submitter)); // after the browser has read the button's own value
  });
  on("htmx:beforeRequest", ({ detail }) => detail.elt.matches("form") && busy(detail.elt, true, detail.requestConfig.triggeringEvent?.submitter));
  on("htmx:afterRequest", ({ detail }) => detail.elt.matches("form") && busy(detail.elt, false, $("[aria-busy=true]", detail.elt)));
  addEventListener("pageshow", (event) => event.persisted && $$("[data-sending]").forEach((form) => busy(form, false, $("[aria-busy=true]", form))));
  on("htmx:beforeSwap", (event) => {
    const landed = new URL(event.detail.xhr.responseURL || location.href).pathname;
    if (landed !== words.login) return;
    event.preventDefault();
    location.reload(); // the session has ended: sign in, and come back here
  });
  on("htmx:sendError", () => toast({ text: words.offline, level: "error" }));
  on("htmx:responseError", ({ detail: { xhr } }) => {
    if (!xhr.getResponseHeader("HX-Trigger")) toast({ text: xhr.status === 403 ? words.forbidden : words.failed, level: "error" });
  });

  // Row menus: native popovers; this adds the arrow keys, and a place where anchors are not known.
  on("toggle", ({ target: menu, newState }) => {
    if (!menu.matches?.(".menu")) return;
    const button = invoker(menu), open = newState === "open";
    button?.setAttribute("aria-expanded", open);
    if (!open) return;
    if (button && !CSS.supports("position-area: block-end")) {
      const { bottom, top, right } = button.getBoundingClientRect(), { offsetHeight: tall, offsetWidth: wide } = menu;
      menu.style.top = `${bottom + tall > innerHeight && top > tall ? top - tall - 8 : bottom}px`;
      menu.style.left = `${Math.max(8, right - wide)}px`;
    }
    $("a, button", menu)?.focus();
  }, true);
  function walk(items, key, from = document.activeElement) {
    const at = items.indexOf(from), last = items.length - 1;
    const to = { ArrowDown: at === last ? 0 : at + 1, ArrowUp: at < 1 ? last : at - 1, Home: 0, End: last }[key];
    items[to]?.focus();
    return to !== undefined;
  }
  function menuKey(event, menu) {
    const items = $$("a, button, summary", menu), at = items.indexOf(document.activeElement);
    if (walk(items, event.key)) event.preventDefault();
    else if (event.key === "Tab") menu.hidePopover();
    else if (/^\S$/.test(event.key)) {
      [...items.slice(at + 1), ...items].find((item) => item.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
    }
  }

  // Search as you type: the arrows walk from the box into what was found.
  function comboKey(event, combo) {
    const input = $("input", combo), items = $$(".found :is(a, button)", combo);
    if (event.key === "Escape") {
      $(".found", combo).replaceChildren();
      input.focus();
    } else if (items.length && event.key.startsWith("Arrow")) {
      walk([input, ...items], event.key);
      event.preventDefault();
    } else if (items.length && event.key === "Enter" && event.target === input && items[0].dataset.fill) items[0].click();
    else return false;
    return true;
  }

  // Bulk selection.
  function count(box) {
    const boxes = $$("[data-check]", box), picked = boxes.filter((each) => each.checked).length;
    const head = $("[data-check-all]", box), offer = $("[data-offer-all]", box), whole = offer && $("input", offer);
    if (head) Object.assign(head, { checked: picked > 0 && picked === boxes.length, indeterminate: picked > 0 && picked < boxes.length });
    if (offer) offer.hidden = !picked || picked < boxes.length;
    if (whole && offer.hidden) whole.checked = false;
    $$("[data-count]", box).forEach((each) => { each.textContent = whole?.checked ? whole.dataset.total : picked; });
  }
  let lastCheck = null;
  on("click", (event) => {
    const check = event.target.closest("[data-check]");
    if (!check) return;
    const boxes = $$("[data-check]", check.closest("[data-bulk]"));
    if (event.shiftKey && boxes.includes(lastCheck)) {
      const [from, to] = [boxes.indexOf(lastCheck), boxes.indexOf(check)].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach((each) => { each.checked = check.checked; });
    }
    lastCheck = check;
  });
  on("change", ({ target }) => {
    const box = target.closest("[data-bulk]");
    if (target.matches("[data-check-all]")) $$("[data-check]", box).forEach((each) => { each.checked = target.checked; });
    if (box) count(box);
  });
  on("htmx:load", ({ detail }) => $$("[data-bulk]", detail.elt.parentElement || document).forEach(count));

  // The line editor: rows whose order on the page is the order of the lines.
  const shown = (editor) => $$("[data-row]", editor);
  const part = (row, name) => $(`[name$="-${name}"]`, row);
  const settle = (editor) => editor.dispatchEvent(new Event("input", { bubbles: true }));
  const first = (row) => $("input:not([type=hidden]), select, textarea", row)?.focus();
  function newRow(editor) {
    if (shown(editor).length >= +editor.dataset.most) return void toast({ text: editor.dataset.full, level: "error" });
    const row = $("template", editor).content.firstElementChild.cloneNode(true);
    $("[data-rows-body]", editor).append(row);
    window.htmx?.process(row);
    return row;
  }
  function addRow(editor) {
    const row = newRow(editor);
    if (!row) return;
    settle(editor);
    first(row);
  }
  function removeRow(editor, row) {
    const next = row.nextElementSibling || row.previousElementSibling;
    row.remove();
    settle(editor);
    next ? first(next) : addRow(editor);
  }
  function moveRow(editor, row, step) {
    const other = step < 0 ? row.previousElementSibling : row.nextElementSibling, focus = document.activeElement;
    if (!other) return;
    step < 0 ? other.before(row) : other.after(row);
    focus.focus();
    settle(editor);
  }
  function fill(button) {
    const [own, ...more] = JSON.parse(button.dataset.fill), editor = button.closest("[data-rows]");
    let row = button.closest("[data-row]");
    const put = (values) => Object.entries(values).forEach(([name, value]) => { part(row, name).value = value; });
    put(own);
    for (const values of more) { // a set-up fee stands on a line of its own
      const made = newRow(editor);
      if (!made) break;
      row.after(made);
      row = made;
      put(values);
    }
    $("input", button.closest(".combo")).focus();
    button.closest(".found").replaceChildren();
    settle(row.closest("[data-rows]"));
  }
  on("input", ({ target }) => {
    const row = target.closest?.("[data-row]");
    if (!row || target !== part(row, "description") || target.value) return;
    for (const name of ["product", "sku"]) part(row, name).value = ""; // what is written next is another thing
  });
  on("htmx:afterSwap", ({ detail: { target } }) => {
    const amounts = JSON.parse($("[data-amounts]", target)?.dataset.amounts || "null");
    if (amounts) $$("[data-amount]").forEach((cell, at) => { cell.textContent = amounts[at] ?? ""; });
    const coupons = JSON.parse($("[data-coupons]", target)?.dataset.coupons || "null");
    if (coupons) $$("[data-coupon-of-line]").forEach((words, at) => { words.textContent = coupons[at] ?? ""; });
    const terms = JSON.parse($("[data-terms]", target)?.dataset.terms || "null");
    if (terms) $$("[data-terms-of-line]").forEach((words, at) => { words.textContent = terms[at] ?? ""; });
  });
  function editorKey(event, row) {
    const editor = row.closest("[data-rows]"), step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.altKey && step) moveRow(editor, row, step);
    else if (event.key === "Enter" && event.target.matches("input")) {
      const next = row.nextElementSibling;
      next ? part(next, event.target.name.split("-").pop())?.focus() : addRow(editor);
    } else return;
    event.preventDefault();
  }

  async function copy(button) {
    const text = button.dataset.copy;
    button.closest("[popover]")?.hidePopover();
    try {
      await navigator.clipboard.writeText(text);
      toast({ text: words.copied });
    } catch {
      opener = invoker(button);
      dialog.replaceChildren($("#copy").content.cloneNode(true));
      $("input", dialog).value = text;
      show();
      $("input", dialog).select();
    }
  }

  on("click", (event) => {
    const button = event.target.closest("button, a");
    if (!button) return;
    const { dataset } = button, row = button.closest("[data-row]"), editor = button.closest("[data-rows]");
    if ("copy" in dataset || ("close" in dataset && dialog.open) || (editor && button.name === "do")) event.preventDefault(); // without the script they lead on
    if ("copy" in dataset) copy(button);
    else if ("close" in dataset) (button.closest(".toast") || { remove: () => dialog.close() }).remove();
    else if ("fill" in dataset) fill(button);
    else if ("add" in dataset) addRow(editor);
    else if ("remove" in dataset) removeRow(editor, row);
    else if ("up" in dataset) moveRow(editor, row, -1);
    else if ("down" in dataset) moveRow(editor, row, 1);
  });

  // Keys.
  let current = null;
  function pick(step) {
    const rows = $$(".table tbody tr").filter((row) => row.checkVisibility() && $("a, button, input", row));
    const at = rows.indexOf(current?.isConnected ? current : null);
    current?.classList.remove("current");
    current = rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
    current?.classList.add("current");
    if (current) ($(".key a", current) || $("a, button, input", current)).focus();
  }
  on("focusin", ({ target }) => {
    const row = target.closest(".table tbody tr");
    if (!row || row === current) return;
    current?.classList.remove("current");
    current = row;
    row.classList.add("current");
  });
  const keys = {
    "/": () => $("#search")?.focus(),
    j: () => pick(1),
    k: () => pick(-1),
    x: () => current && $("[data-check]", current)?.click(),
    ".": () => (current?.isConnected ? current : document).querySelector(".menu-button")?.click(),
    "?": () => $("#keys").showPopover(),
  };
  on("keydown", (event) => {
    const { target, key } = event;
    const menu = target.closest?.(".menu:popover-open"), combo = target.closest?.(".combo"), row = target.closest?.("[data-row]");
    if (key === "Enter" && (event.ctrlKey || event.metaKey) && target.form?.matches("[data-editor]")) {
      return $$("[data-deed]", target.form).find((deed) => deed.checkVisibility())?.click();
    }
    if (menu) return menuKey(event, menu);
    if (combo && !event.altKey && comboKey(event, combo)) return key === "Enter" && event.preventDefault();
    if (row && (event.altKey || key === "Enter")) return editorKey(event, row);
    if (key === "Enter" && target.matches("[data-editor] input")) return event.preventDefault(); // a charge is pressed, never slipped into
    const typing = target.matches?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || $("dialog:modal")) return;
    const button = `[data-key="${CSS.escape(key)}"]`, deed = (current?.isConnected && $(button, current)) || $(button);
    if (!keys[key] && !deed) return;
    event.preventDefault();
    keys[key] ? keys[key]() : deed.click();
  });
})();
