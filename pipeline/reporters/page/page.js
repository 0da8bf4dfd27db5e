// The findings' filter and order, and the copy buttons. Texts become text nodes and never markup; what may be shown and
// where a link may lead has been decided before (page_findings.py).
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en");
  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  const copyButtons = () => {
    for (const button of document.querySelectorAll("button.copy")) {
      button.hidden = false;
      button.addEventListener("click", () => copy(button.closest("tr").querySelector(".command")));
    }
  };
  const copy = async (source) => {
    const selection = getSelection();
    selection.removeAllRanges();
    const range = document.createRange();
    range.selectNodeContents(source);
    selection.addRange(range);
    let done = false;
    try {
      await navigator.clipboard.writeText(source.textContent);
      done = true;
    } catch {
      // Not allowed here: the older way, with what is selected.
      done = document.execCommand("copy");
    }
    byId("copied").className = "note";
    byId("copied").textContent = done ? `Copied: ${source.textContent}` : "The line is selected; copy it with the keyboard.";
  };

  // A finding is an array; what each place holds is said in page_findings.py.
  const decode = (row, index, strings) => ({
    index, severity: strings[row[0]], state: strings[row[1]], fails: row[2] === 1, stage: strings[row[3]],
    tool: strings[row[4]], rule: strings[row[5]], path: strings[row[6]], line: row[7], place: strings[row[8]],
    message: strings[row[9]], owner: strings[row[10]], facts: row[11], source: row[12], text: "",
  });
  const searched = (item, strings) => {
    if (!item.text) {
      const facts = item.facts.filter((_, at) => at % 3 === 1).map((at) => strings[at]);
      item.text = [item.severity, item.state, item.tool, item.place, item.message, ...facts].join("\n").toLowerCase();
    }
    return item.text;
  };

  const lineOf = (source, at, strings) => {
    const [first, lines, meant, before, marked, after] = source;
    const node = make("span", first + at === meant ? "line hit" : "line");
    node.dataset.line = first + at || "";
    if (first + at === meant) node.append(strings[before], make("mark", "", strings[marked]), strings[after]);
    else node.textContent = strings[lines[at]];
    return node;
  };
  const fill = (details, item, strings) => {
    const more = make("div", "more");
    if (item.source.length) {
      const block = make("pre", "source"), code = make("code");
      block.tabIndex = 0;
      block.setAttribute("role", "region");
      block.setAttribute("aria-label", `Source of ${item.place}`);
      item.source[1].forEach((_, at) => code.append(lineOf(item.source, at, strings), "\n"));
      block.append(code);
      more.append(block);
    }
    const list = make("dl");
    for (let at = 0; at < item.facts.length; at += 3) {
      const [term, text, address] = item.facts.slice(at, at + 3).map((index) => strings[index]);
      const pair = make("div"), told = make("dd", "", address ? undefined : text);
      if (/^https?:\/\//.test(address)) {
        const link = make("a", "", text);
        link.href = address;
        link.rel = "noreferrer noopener";
        told.append(link);
      } else if (address) told.textContent = text;
      pair.append(make("dt", "", term), told);
      list.append(pair);
    }
    more.append(list);
    details.append(more);
  };
  const draw = (item, strings, open) => {
    const entry = make("li", "finding"), details = make("details"), summary = make("summary"), tags = make("span", "tags");
    if (item.fails) tags.append(make("span", "tag fails", "fails its gate"));
    tags.append(make("span", "tag", item.state));
    summary.append(
      make("span", `severity v-${item.severity}`, item.severity), tags, make("span", "rule", item.rule),
      make("span", "message", item.message), make("span", "place", item.place),
    );
    details.append(summary);
    // What is folded away is made when it is opened.
    const ready = () => details.childElementCount > 1 || fill(details, item, strings);
    details.addEventListener("toggle", ready, { once: true });
    if (open) {
      ready();
      details.open = true;
    }
    entry.append(details);
    return entry;
  };

  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const orders = {
    place: (a, b) => compare(a.path || "\uffff", b.path || "\uffff") || a.line - b.line || compare(a.place, b.place),
    rule: (a, b) => compare(a.rule, b.rule),
    stage: (a, b) => compare(a.stage, b.stage) || compare(a.tool, b.tool),
    owner: (a, b) => compare(a.owner || "\uffff", b.owner || "\uffff"),
  };

  const findings = () => {
    const form = byId("filter"), list = byId("list"), data = byId("data");
    if (!form) return;
    const { findings: rows, strings } = JSON.parse(data.textContent);
    const all = rows.map((row, index) => decode(row, index, strings));
    // As many at a time as stand in the page already: however many there are, the browser holds no more.
    const size = Number(list.dataset.size), pager = byId("pager"), at = byId("page"), unfold = byId("unfold");
    let found = all, first = 0, open = false;

    const chosen = (name) => new Set([...form.querySelectorAll(`[name="${name}"]:checked`)].map((box) => box.value));
    const tell = () => {
      const last = Math.min(first + size, found.length), pages = Math.max(Math.ceil(found.length / size), 1);
      const some = found.length < all.length ? `${number.format(found.length)} of ` : "";
      const shown = found.length > size ? `, ${number.format(first + 1)} to ${number.format(last)} shown` : "";
      byId("count").textContent = `${some}${number.format(all.length)} finding${all.length === 1 ? "" : "s"}${shown}`;
      byId("rest").hidden = true;
      pager.hidden = pages === 1;
      at.value = first / size + 1;
      at.max = pages;
      byId("pages").textContent = number.format(pages);
      byId("previous").disabled = first === 0;
      byId("next").disabled = last === found.length;
    };
    const drawPage = () => {
      list.replaceChildren(...found.slice(first, first + size).map((item) => draw(item, strings, open)));
      tell();
    };
    const turn = (page) => {
      const pages = Math.ceil(found.length / size);
      first = (Math.min(Math.max(Math.trunc(page) || 1, 1), pages) - 1) * size;
      drawPage();
      form.scrollIntoView({ behavior: "instant" });
    };
    const apply = () => {
      const begun = performance.now();
      const words = byId("q").value.toLowerCase().split(/\s+/).filter(Boolean);
      const severities = chosen("severity"), states = chosen("state");
      const stage = byId("by-stage").value, owner = byId("by-owner"), fails = byId("fails").checked;
      found = all.filter((item) =>
        (!severities.size || severities.has(item.severity)) && (!states.size || states.has(item.state)) &&
        (!fails || item.fails) && (!stage || item.stage === stage) &&
        (owner.selectedIndex === 0 || item.owner === owner.value) &&
        words.every((word) => searched(item, strings).includes(word)));
      const order = orders[byId("sort").value];
      if (order) found = [...found].sort((a, b) => order(a, b) || a.index - b.index);
      first = 0;
      drawPage();
      performance.measure("filter", { start: begun, end: performance.now() });
    };
    const toggle = () => {
      open = !open;
      unfold.setAttribute("aria-pressed", String(open));
      unfold.textContent = open ? "Close all shown" : "Open all shown";
      for (const details of list.querySelectorAll("details")) details.open = open;
    };

    let waiting = 0;
    const soon = () => {
      clearTimeout(waiting);
      waiting = setTimeout(apply, 120);
    };
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    form.addEventListener("change", (event) => event.target.id === "q" || apply());
    byId("q").addEventListener("input", soon);
    byId("previous").addEventListener("click", () => turn(first / size));
    byId("next").addEventListener("click", () => turn(first / size + 2));
    at.addEventListener("change", () => turn(Number(at.value)));
    unfold.addEventListener("click", toggle);
    // On paper nothing can be unfolded; for browsers that don't know how to print folded parts.
    addEventListener("beforeprint", () => {
      for (const details of document.querySelectorAll("details")) details.open = true;
    });
    tell();
    performance.mark("ready");
  };

  copyButtons();
  findings();
})();
