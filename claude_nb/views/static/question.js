// A question with buttons, on top of core.js. protocol.py describes its messages.

export default {
  render({ model, el }) {
    const { call, html, said, answers } = model.get("snapshot");
    el.classList.add("claude-nb-widget", ...RENDERED);
    const facts = make("div", { class: "claude-nb-facts" });
    facts.innerHTML = html;
    const buttons = answers.map(([answer, label]) => {
      const onclick = () => {
        for (const each of buttons) each.disabled = true;
        model.send({ op: "confirm", call, answer });
      };
      return make("button", { type: "button", class: "claude-nb-button", onclick }, label);
    });
    const question = make("p", { class: "claude-nb-source" }, said);
    const look = { class: "claude-nb-question", role: "group", "aria-label": said };
    el.append(facts, make("div", look, question, ...buttons));
    announce(said);
    model.send({ op: "asked", call });
  },
};
