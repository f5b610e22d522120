/* The panel on the right: everything about one event, and the member's state before and after it. */
const details = document.getElementById("details");
const element = (tag, className, text) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

/* "term=3 role=leader log=[1.1, 2.1]" as pairs; words without '=' have no value. Brackets keep their blanks. */
function fieldsOf(text) {
  const fields = [];
  for (const word of text.match(/[^\s=]+=(?:\[[^\]]*\]|\{[^}]*\}|\S*)|\S+/g) || []) {
    const at = word.indexOf("=");
    fields.push(at > 0 ? [word.slice(0, at), word.slice(at + 1)] : [word, ""]);
  }
  return fields;
}

function tableOf(rows) {
  const table = element("table");
  for (const [name, value, before] of rows) {
    const row = table.insertRow();
    row.insertCell().textContent = name;
    const cell = row.insertCell();
    if (before !== undefined && before !== value) {
      row.className = "changed";
      if (before !== null) cell.append(element("del", "", before), " → ");
    }
    cell.append(value === null ? "gone" : value);
  }
  return table;
}

function linkTo(item, text) {
  const link = element("span", "link", text);
  link.addEventListener("click", () => select(item, true));
  return link;
}

const fateText = { [LOST]: "lost", [UNDER_WAY]: "under way" };
function arrowLink(a) {
  const name = lineName(trace.to[a]);
  if (trace.receive[a] < 0)
    return element("span", "link" + (trace.fate[a] === LOST ? " lost" : ""), name + " " + fateText[trace.fate[a]]);
  const took = ((trace.at[trace.receive[a]] - trace.at[trace.send[a]]) / 1e6).toFixed(3);
  return linkTo(trace.receive[a], `${name} after ${took} ms`);
}

function addEffects(item) {
  const [first, end] = deedsOf(item);
  if (end === first) return;
  details.append(element("h4", "", "Effects"));
  for (let d = first; d < end; d++) {
    const row = element("div", "effect"),
      kind = EFFECTS[trace.deedKind[d]];
    row.append(element("b", "", kind));
    const name = string(trace.deedName[d]);
    if (name !== "") row.append(kind === "NOTE" ? name.replace("->", "→") : name, " ");
    row.append(element("code", "", string(trace.deedText[d])));
    if (trace.deedTargets[d] > 0) {
      const to = element("div");
      for (let k = 0; k < trace.deedTargets[d]; k++) to.append(arrowLink(trace.deedArrow[d] + k));
      row.append(to);
    }
    details.append(row);
  }
}

function addStates(item) {
  const before = stepBefore(item),
    was = before >= 0 ? fieldsOf(string(trace.state[before])) : null;
  const is = fieldsOf(string(trace.state[item]));
  if (is.length === 0) return;
  details.append(element("h4", "", was === null ? "State after (it has just started)" : "State before → after"));
  const old = new Map(was || []),
    now = new Map(is),
    rows = [];
  for (const [name, value] of is) rows.push([name, value, was === null ? value : old.has(name) ? old.get(name) : null]);
  for (const [name, value] of was || []) if (!now.has(name)) rows.push([name, null, value]);
  details.append(tableOf(rows));
}

function addOrigin(item) {
  if (trace.kind[item] !== MESSAGE) return;
  details.append(element("h4", "", "Message"));
  const a = trace.arrow[item];
  if (a < 0) {
    details.append(element("p", "bad", "No member sent this: it was changed on its way, or made up."));
    return;
  }
  const took = ((trace.at[item] - trace.at[trace.send[a]]) / 1e6).toFixed(3);
  const line = element("p");
  line.append(linkTo(trace.send[a], "from " + lineName(trace.from[a])), ` ${took} ms on its way`);
  if (trace.fate[a] === AGAIN) line.append(", and not for the first time");
  details.append(line);
}

function addVector(item) {
  if (!view.causal || trace.line[item] < 0) return;
  details.append(element("h4", "", "Vector timestamp"));
  if (vectors() === null) details.append(element("p", "hint", "There are too many members and events for that."));
  else
    details.append(
      tableOf(Array.from(vectorOf(item), (count, l) => [lineName(l), String(count)]).filter((row) => row[1] !== "0")),
    );
}

function showDetails(item) {
  details.replaceChildren();
  if (item < 0) {
    details.append(element("p", "hint", "Click an event, or press ↓."));
    return;
  }
  const mark = isMark(item);
  const title = mark ? markOf(item) : (kindName(item) + " " + string(trace.name[item])).trim();
  const where = trace.line[item] >= 0 ? lineName(trace.line[item]) : trace.node[item] > 0 ? "n" + trace.node[item] : "";
  details.append(element("h3", mark && markOf(item) === "violation" ? "bad" : "", title));
  details.append(element("p", "when", `${where ? where + ", " : ""}${seconds(trace.at[item])}, event ${item + 1}`));
  if (mark) {
    details.append(element("p", "sentence", string(trace.text[item])));
    return;
  }
  const fields = fieldsOf(string(trace.text[item]));
  if (fields.length > 0) details.append(tableOf(fields));
  addOrigin(item);
  addEffects(item);
  addStates(item);
  addVector(item);
}
