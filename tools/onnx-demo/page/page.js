/** Loads every model of demo.json and lets it continue the same texts. Results are left in `globalThis.results`. */
import { AutoModelForCausalLM, AutoTokenizer, env } from "./vendor/transformers.min.js";

env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = new URL("models/", location.href).pathname;
env.useBrowserCache = false;
env.backends.onnx.wasm.wasmPaths = new URL("vendor/", location.href).href;

const state = document.querySelector("#state");
const head = document.querySelector("#head");
const body = document.querySelector("#body");

const cell = (kind, row, ...parts) => {
  const made = document.createElement(kind);
  made.append(...parts);
  row.append(made);
  return made;
};

const given = (text) => {
  const span = document.createElement("span");
  span.className = "prompt";
  span.textContent = text;
  return span;
};

async function loadModel(name) {
  const tokenizer = await AutoTokenizer.from_pretrained(name);
  const model = await AutoModelForCausalLM.from_pretrained(name, { device: "wasm" });
  return {
    async continueText(text, newTokens) {
      const inputs = tokenizer(text);
      const outputs = await model.generate({ ...inputs, max_new_tokens: newTokens, do_sample: false });
      const added = outputs.slice(null, [inputs.input_ids.dims[1], outputs.dims[1]]);
      return { text: tokenizer.batch_decode(added, { skip_special_tokens: true })[0], tokens: added.dims[1] };
    },
    dispose: () => model.dispose(),
  };
}

async function show() {
  const { models, prompts, newTokens } = await (await fetch("demo.json")).json();
  const headRow = head.appendChild(document.createElement("tr"));
  cell("th", headRow, "language");
  const titles = models.map(({ title, bytes }) => cell("th", headRow, `${title}: ${(bytes / 1e6).toFixed(1)} MB`));
  const rows = prompts.map(({ language }) => {
    const row = body.appendChild(document.createElement("tr"));
    cell("th", row, language).scope = "row";
    return row;
  });
  const results = [];
  for (const [column, { name, title }] of models.entries()) {
    state.textContent = `${title} is writing…`;
    const model = await loadModel(name);
    // the first call pays for what is made once
    await model.continueText(prompts[0].text, newTokens);
    const started = performance.now();
    const texts = [];
    let tokens = 0;
    for (const [index, { language, text }] of prompts.entries()) {
      const continued = await model.continueText(text, newTokens);
      texts.push(continued.text);
      tokens += continued.tokens;
      cell("td", rows[index], given(text), continued.text).lang = language;
    }
    const tokensPerSecond = tokens / ((performance.now() - started) / 1000);
    titles[column].append(`, ${tokensPerSecond.toFixed(0)} tokens/s`);
    results.push({ name, texts, tokensPerSecond });
    await model.dispose();
  }
  globalThis.results = results;
  state.textContent = "Done.";
  document.body.dataset.state = "done";
}

show().catch((error) => {
  state.textContent = `This did not work: ${error.message}`;
  document.body.dataset.state = "failed";
  console.error(error);
});
