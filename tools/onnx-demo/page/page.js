/**
 * Loads every model of demo.json, lets each continue the same texts, and then texts of the visitor. Results are left in
 * `globalThis.results`.
 */
import { AutoModelForCausalLM, AutoTokenizer, env } from "./vendor/transformers.min.js";

env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = new URL("models/", location.href).pathname;
env.useBrowserCache = false;
env.backends.onnx.wasm.wasmPaths = new URL("vendor/", location.href).href;

const [state, head, body, form] = ["state", "head", "body", "form"].map((id) => document.getElementById(id));

function element(kind, properties, ...parts) {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...parts);
  return made;
}

async function loadModel(name, generation) {
  const tokenizer = await AutoTokenizer.from_pretrained(name);
  const model = await AutoModelForCausalLM.from_pretrained(name, { device: "wasm" });
  return async (text) => {
    const inputs = tokenizer(text);
    const outputs = await model.generate({ ...inputs, ...generation });
    const added = outputs.slice(null, [inputs.input_ids.dims[1], outputs.dims[1]]);
    const [continued] = tokenizer.batch_decode(added, { skip_special_tokens: true });
    // a text that ends within a character ends before it
    return { text: continued.replace(/\uFFFD+$/, ""), tokens: added.dims[1] };
  };
}

const wordsOf = (text) => [...new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)].map(({ segment }) => segment);

/** What a compressed model writes otherwise than the dense one is marked, from the first word that differs. */
function marked(text, dense) {
  const words = wordsOf(text);
  const reference = wordsOf(dense);
  const found = words.findIndex((word, index) => word !== reference[index]);
  const same = found === -1 ? words.length : found;
  return [words.slice(0, same).join(""), element("mark", {}, words.slice(same).join(""))];
}

function addRow(name, code, count) {
  const heading = element("th", { scope: "row" }, name, element("span", { className: "code" }, code));
  const cells = Array.from({ length: count }, () => element("td", { dir: "auto", lang: code }));
  body.append(element("tr", {}, heading, ...cells));
  return cells;
}

const fill = (cell, given, continued, dense) =>
  cell.replaceChildren(element("span", { className: "given" }, given), ...marked(continued, dense));

function addHead(models) {
  const [{ bytes: whole }] = models;
  const speeds = models.map(() => element("span", { className: "speed" }, "…"));
  const cells = models.map(({ title, bytes }, column) => {
    const size = `${(bytes / 1e6).toFixed(1)} MB`;
    const share = column === 0 ? size : `${size}, ${(whole / bytes).toFixed(1)} times smaller`;
    const meter = element("meter", { value: bytes / whole, ariaLabel: `size beside the dense model: ${share}` });
    return element("th", { scope: "col" }, element("strong", {}, title), share, meter, speeds[column]);
  });
  head.append(element("tr", {}, element("th", { scope: "col" }, "Language"), ...cells));
  return speeds;
}

/** After the given texts: a line for each text of the visitor. */
function offerForm(models, continueWith) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { value } = form.elements.text;
    const button = form.querySelector("button");
    button.disabled = true;
    const cells = addRow("Yours", "", models.length);
    const texts = [];
    for (const [column, continueText] of continueWith.entries()) {
      texts.push((await continueText(value)).text);
      fill(cells[column], value, texts[column], texts[0]);
    }
    button.disabled = false;
  });
}

async function show() {
  const { models, prompts, generation } = await (await fetch("demo.json")).json();
  const speeds = addHead(models);
  const rows = prompts.map(({ name, language }) => addRow(name, language, models.length));
  const results = [];
  const continueWith = [];
  for (const [column, { name, title }] of models.entries()) {
    state.textContent = `${title}: loading…`;
    const continueText = await loadModel(name, generation);
    continueWith.push(continueText);
    const texts = [];
    for (const [index, { text, name: language }] of prompts.entries()) {
      state.textContent = `${title}: ${language}, ${index + 1} of ${prompts.length} texts…`;
      texts.push((await continueText(text)).text);
      fill(rows[index][column], text, texts[index], results[0]?.texts[index] ?? texts[index]);
    }
    state.textContent = `${title}: the same again for the time…`;
    // a second round is timed: the first pays for what is made once, such as fast code of the browser's compiler
    const started = performance.now();
    let tokens = 0;
    for (const { text } of prompts) tokens += (await continueText(text)).tokens;
    const tokensPerSecond = tokens / ((performance.now() - started) / 1000);
    speeds[column].textContent = `${tokensPerSecond.toFixed(0)} tokens/s here`;
    results.push({ name, texts, tokensPerSecond });
  }
  globalThis.results = results;
  const threads = env.backends.onnx.wasm.numThreads;
  state.textContent = `Done: ${models.length} models, ${prompts.length} languages, on the CPU${threads > 1 ? ` with ${threads} threads` : ""}.`;
  offerForm(models, continueWith);
  document.body.dataset.state = "done";
}

show().catch((error) => {
  state.textContent = `This did not work: ${error.message}`;
  document.body.dataset.state = "failed";
  console.error(error);
});
