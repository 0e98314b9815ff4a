// The controls of a chat: a text box that grows, completion of variables' names, a menu.

let ids = 0;

/** A text box that grows, in which Enter sends. */
class Box {
  /** @param {{label: string, send: () => void, lines?: boolean}} does `lines`: Enter begins one */
  constructor(does) {
    this.does = does;
    this.area = make("textarea", {
      rows: 1,
      dir: "auto",
      "aria-label": does.label,
      placeholder: does.placeholder,
      onkeydown: (event) => this.key(event),
      oninput: () => this.changed(),
    });
  }

  get value() {
    return this.area.value;
  }

  set value(text) {
    this.area.value = text;
    this.grow();
  }

  changed() {
    this.grow();
    this.does.changed?.();
  }

  grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight + 2}px`;
  }

  key(event) {
    if (event.isComposing || event.keyCode === 229) return; // the Enter that ends a composition
    const ends = this.does.lines ? event.ctrlKey || event.metaKey : !event.shiftKey && !event.altKey;
    if (this.does.key?.(event)) {
      event.preventDefault();
    } else if (event.key === "Enter" && ends) {
      event.preventDefault();
      this.does.send();
    }
  }
}

/** The names of variables, to choose from with the keys while `{{` is being written. */
class Names {
  constructor(area, chat) {
    this.area = area;
    this.chat = chat;
    this.id = `claude-nb-names-${ids++}`;
    this.list = make("ul", { class: "claude-nb-names", role: "listbox", id: this.id, hidden: true });
    this.list.setAttribute("aria-label", "Variables");
    this.matches = [];
    area.setAttribute("aria-autocomplete", "list");
    area.setAttribute("aria-controls", this.id);
    area.addEventListener("blur", () => this.hide());
  }

  get before() {
    return this.area.value.slice(0, this.area.selectionStart);
  }

  get isOpen() {
    return !this.list.hidden;
  }

  async update() {
    const before = this.before;
    const begun = before.match(/\{\{\s*[\p{L}\p{N}_]*$/u);
    if (!begun) return this.hide();
    const { matches = [] } = await this.chat.call("complete", { text: begun[0] });
    if (this.before !== before) return; // more was typed meanwhile, and asked for by itself
    this.matches = matches;
    if (!matches.length) return this.hide();
    this.list.replaceChildren(
      ...matches.map(({ name, about }, index) =>
        make(
          "li",
          { role: "option", id: `${this.id}-${index}`, onmousedown: (event) => this.take(event, index) },
          make("code", {}, name),
          make("span", {}, about),
        ),
      ),
    );
    if (this.list.hidden) {
      announce(`${matches.length} variables. Arrow keys choose, Enter inserts.`);
    }
    this.list.hidden = false;
    this.choose(0);
  }

  choose(index) {
    this.index = (index + this.matches.length) % this.matches.length;
    for (const [number, item] of [...this.list.children].entries()) {
      item.setAttribute("aria-selected", String(number === this.index));
    }
    const item = this.list.children[this.index];
    item.scrollIntoView({ block: "nearest" });
    this.area.setAttribute("aria-activedescendant", item.id);
  }

  take(event, index = this.index) {
    event.preventDefault();
    const before = this.before.replace(/\{\{\s*[\p{L}\p{N}_]*$/u, "");
    const after = this.area.value.slice(this.area.selectionStart).replace(/^[\p{L}\p{N}_]*(\}\})?/u, "");
    const put = `{{${this.matches[index].name}}}`;
    this.hide();
    this.area.setRangeText(put, before.length, this.area.value.length - after.length, "end");
    this.area.dispatchEvent(new Event("input"));
  }

  hide() {
    this.list.hidden = true;
    this.area.removeAttribute("aria-activedescendant");
  }

  /** Whether a key was meant for the list. */
  key(event) {
    if (!this.isOpen) return false;
    if (event.key === "ArrowDown") this.choose(this.index + 1);
    else if (event.key === "ArrowUp") this.choose(this.index - 1);
    else if (event.key === "Enter" || event.key === "Tab") this.take(event);
    else if (event.key === "Escape") this.hide();
    else return false;
    return true;
  }
}

/**
 * @typedef {object} Item an entry of a menu
 * @property {Node | string} label
 * @property {string} [about] a few words below it
 * @property {string} [icon]
 * @property {boolean} [checked] whether it is switched on, of one that can be
 * @property {boolean} [chosen] whether it is the one of several that is shown
 * @property {() => void} act
 */

/** A button with a menu, which the keys walk. It is filled each time that it opens. */
class Menu {
  /**
   * @param {Node[]} label what stands on the button
   * @param {string} title
   * @param {() => Item[] | Promise<Item[]>} fill
   */
  constructor(label, title, fill) {
    this.fill = fill;
    this.list = make("div", { class: "claude-nb-menu", role: "menu", hidden: true, "aria-label": title });
    this.opener = button("", title, () => this.toggle(), {
      class: "claude-nb-quiet",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
    });
    this.opener.replaceChildren(...label);
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("focusout", ({ relatedTarget }) => {
      if (!this.list.contains(relatedTarget) && relatedTarget !== this.opener) this.close();
    });
  }

  async toggle() {
    if (!this.list.hidden) return this.close();
    const items = await this.fill();
    if (!items.length) return;
    this.list.replaceChildren(...items.map((item) => this.entry(item)));
    this.list.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.list.firstChild.focus();
  }

  /** @param {Item} item */
  entry({ label, about, icon: name, checked, chosen, act }) {
    const state = checked ?? chosen;
    let [role, mark] = ["menuitem", name];
    if (checked !== undefined) [role, mark] = ["menuitemcheckbox", checked ? "boxed" : "box"];
    else if (chosen !== undefined) [role, mark] = ["menuitemradio", chosen ? "check" : undefined];
    const entry = make(
      "button",
      { type: "button", role, tabindex: -1, "aria-checked": state === undefined ? undefined : String(state) },
      make("span", { class: "claude-nb-mark" }, mark ? icon(mark) : null),
      make("span", {}, label, about ? make("small", {}, about) : null),
    );
    entry.addEventListener("click", () => {
      if (checked === undefined) {
        this.close();
        this.opener.focus();
        return act();
      }
      act(); // a switch: the menu stays open
      const now = this.entry({ label, about, checked: !checked, act });
      entry.before(now);
      now.focus(); // before the old one goes: a menu that loses the focus closes
      entry.remove();
    });
    return entry;
  }

  close() {
    this.list.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
  }

  key(event) {
    const items = [...this.list.children];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === "Escape") {
      this.close();
      this.opener.focus();
    } else if (to !== undefined) {
      items[(to + items.length) % items.length].focus();
    } else {
      return;
    }
    event.preventDefault();
  }
}
