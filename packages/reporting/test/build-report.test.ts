import { contentAddress, encodeDamage, encodeFiles, encodeMixes, encodeScores, encodeSimilarities } from "@mbs/artifacts";
import { BadDataError, at } from "@mbs/contracts";
import { csvParse } from "d3-dsv";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { buildReport } from "../src/build-report.ts";
import type { ReportOptions } from "../src/build-report.ts";
import type { ReportInput } from "../src/collected.ts";
import { formatPage } from "../src/page/page.ts";
import { csvFiles, svgFiles } from "../src/page/section-files.ts";
import { makeDamage, makeMixes, makeScores, makeSimilarities, mixesMetadata } from "./made-records.ts";

const scores = () =>
  encodeScores(makeScores(["dense", "<b>gptq</b>"]), {
    corpus: "",
    length: 11,
    bos: "auto",
    shares: { en: 1, mr: 1, te: 1 },
    models: { dense: { bytes: 4_000_000 }, "<b>gptq</b>": { bytes: 1_000_000 } },
  });
const similarity = () => encodeSimilarities(makeSimilarities(), { model: "" });

const render = async (inputs: readonly ReportInput[], options?: ReportOptions): Promise<string> =>
  formatPage(await buildReport(inputs, options));

/** Every tag that is opened is closed, in order. */
function unclosed(html: string): string[] {
  const open: string[] = [];
  for (const [, closing = "", name = "", self = ""] of html.matchAll(/<(\/?)([a-zA-Z][\w-]*)(?:"[^"]*"|[^>"])*?(\/?)>/g)) {
    if (self === "/" || name === "meta" || name === "wbr") continue;
    if (closing === "") open.push(name);
    else if (open.pop() !== name) return [`</${name}>`];
  }
  return open;
}

const twoInputs = (): ReportInput[] => [
  { name: "scores.arrow", stream: scores() },
  { name: "similarity.arrow", stream: similarity() },
];

test("one whole page with plots, tables behind them and nothing from elsewhere", async () => {
  const page = await render(twoInputs());
  assert.equal(unclosed(page), []);
  assert.is(page.match(/<svg role="img" aria-label="/g)?.length, 3, "averages, rises, similarity");
  assert.is(page.match(/<svg[^>]* width="/g), null, "pictures shrink on a phone");
  assert.not.match(page, /<script|<link|<img|src=|href=(?!"#)|@import|url\((?!#)/);
  assert.match(page, /prefers-color-scheme:dark/);
  assert.match(page, /name="viewport"/);
  assert.match(page, /&lt;b&gt;gptq&lt;\/b&gt;/);
  assert.not.match(page, /<b>gptq/);
  assert.not.match(page, /NaN|undefined|Infinity/);
});

test("too few windows are said, not shown as an interval", async () => {
  const one = makeScores(["dense", "gptq"]).filter(({ window }) => window === 0);
  const stream = encodeScores(one, { corpus: "", length: 11, bos: "auto", shares: { en: 1, mr: 1, te: 1 }, models: {} });
  const page = await render([{ name: "scores.arrow", stream }]);
  assert.not.match(page, /NaN|undefined|Infinity/);
  assert.match(page, /te\s\+\d+(\.\d)?%\s\(too\sfew\swindows\)/);
  assert.not.match(page, /% \*/);
});

test("every section has an anchor of its own, and every plot a table and a text that says what it shows", async () => {
  const inputs = [...twoInputs(), { name: "again.arrow", stream: scores() }, { name: "other.arrow", stream: similarity() }];
  const { sections } = await buildReport(inputs);
  const ids = sections.map(({ id }) => id);
  assert.is(new Set(ids).size, ids.length, ids.join(" "));
  for (const id of ids) assert.match(id, /^[a-z]+(-[a-z0-9]+)*$/);
  for (const { title, plots = [], tables = [] } of sections) {
    assert.ok(plots.length === 0 || tables.length > 0, title);
    for (const { svg } of plots) {
      const [, label] = /aria-label="([^"]*)"/.exec(svg) ?? [];
      assert.match(label ?? "", /: .*(\d|none)/, `${title}: numbers in the text`);
    }
  }
  assert.ok(sections.some(({ title }) => title.endsWith("(again.arrow)")));
});

test("every plot has rows of some height and columns of some width", async () => {
  const html = await render(twoInputs());
  // the frame of each plot: M0.5,0.5h300v170h-300Z
  const frames = [...html.matchAll(/class="background"[^>]*d="M0\.5,0\.5h([\d.]+)v([\d.]+)h/g)];
  assert.ok(frames.length >= 2, String(frames.length));
  for (const [frame, width, height] of frames) assert.ok(Number(width) > 20 && Number(height) > 20, frame);
});

test("plain words: who loses, by intervals; averages come as three; hashes stand on the page", async () => {
  const page = await buildReport(twoInputs(), { recipe: { name: "recipe.yaml", text: "model: <m>\n" } });
  assert.equal(
    page.sections.slice(0, 4).map(({ id }) => id),
    ["gains-and-losses", "rises", "findings", "averages"],
  );
  const [gains, findings, averages] = [at(page.sections, 0), at(page.sections, 2), at(page.sections, 3)];
  assert.match(
    at(gains.points ?? [], 0),
    /^<b>gptq<\/b>: 4\.00 MB → 1\.00 MB, 4\.00 times smaller\. Mean of languages \+\d.*, most in te: \+56\.8% \(.*\)\. Clear losses: all 3; clear gains: none; unclear: none\.$/,
  );
  assert.match(findings.texts?.join(" ") ?? "", /Nothing could be checked.*How <b>gptq<\/b> was made is not known/);
  const titles = averages.tables?.[0]?.table.columns.map(({ title }) => title).join("; ") ?? "";
  for (const figure of ["unweighted mean", "weighted by training mixture", "worst language"])
    assert.ok(titles.includes(`rise, ${figure}`) && titles.includes(`perplexity, ${figure}`), titles);
  const html = formatPage(page);
  assert.match(html, /<pre>model: &lt;m&gt;\n<\/pre>/);
  const { address } = await contentAddress(scores());
  assert.ok(html.includes(address), "content address of the scores");
});

const madeWith = (mix: Readonly<Record<string, number>>) => ({
  bytes: 1,
  made: { source: "dense", format: "dense", methods: [{ solver: "gptq", options: {} }], mix },
});

const ofModels = (models: Readonly<Record<string, object>>) =>
  encodeScores(makeScores(Object.keys(models)), {
    corpus: "",
    length: 11,
    bos: "auto",
    shares: undefined,
    models,
  });

test("a result stands in one picture with what it is compared with, of which nothing is diagnosed", async () => {
  const methods = [
    { solver: "gptq", options: { typeMix: "Q2_K" } },
    { solver: "gptq", options: { typeMix: "Q2_K", embeddings: "on" } },
  ];
  const made = { source: "source", format: "gguf", methods, mix: { en: 1, mr: 1, te: 1 } };
  const usual = { ...made, methods: [{ solver: "rtn", options: { typeMix: "Q2_K" } }], mix: {} };
  const models = { source: { bytes: 4 }, shrunk: { bytes: 1, made }, usual: { bytes: 1, made: usual } };
  const inputs = (): ReportInput[] => [{ name: "scores", stream: ofModels(models) }];
  const { sections, lead } = await buildReport(inputs(), {
    lead: ["What these are."],
    beside: ["usual"],
    remedy: (languages) => `Help ${languages.join(", ")}.`,
  });
  assert.equal(lead, ["What these are."]);
  const [gains, rises, findings] = [at(sections, 0), at(sections, 1), at(sections, 2)];
  assert.equal(
    gains.points?.map((point) => point.split(":")[0]),
    ["shrunk, gptq Q2_K, equal mix", "usual, rounding to nearest Q2_K, no calibration texts"],
  );
  assert.is(rises.title, "Rise above source by language");
  assert.equal(new Set(rises.plots?.[0]?.rows.map(({ series }) => series)), new Set(["shrunk", "usual"]));
  assert.equal(
    findings.parts?.map(({ title, texts, command }) => [title, texts.at(-1), command]),
    [["gptq Q2_K, equal mix: te loses most of its quality.", "Remedy: Help te.", undefined]],
  );
  assert.is(findings.texts?.length, 1, "what else could be looked for is not said");
  const all = at((await buildReport(inputs())).sections, 2);
  assert.ok((all.parts?.length ?? 0) > 1, "usual too");
});

const madeBy = (name: string) => ({
  bytes: 1,
  made: {
    source: "dense",
    format: "gptq",
    methods: [
      { solver: name, options: {} },
      { solver: name, options: { embeddings: "on" } },
    ],
    mix: { en: 1 },
  },
});

test("of many models a picture has those of one solver, and its heading what they are", async () => {
  const many = ["a", "b", "c", "d", "e", "f"].map((name) => [name, madeBy("gptq")] as const);
  const stream = ofModels({ dense: { bytes: 1 }, ...Object.fromEntries(many), w: madeBy("wanda") });
  const { sections } = await buildReport([{ name: "scores", stream }]);
  assert.equal(
    sections.filter(({ id }) => id.startsWith("rises")).map(({ title }) => title),
    ["gptq, a to e", "gptq, f", "wanda"].map((what) => `Rise above dense by language, ${what}`),
  );
  assert.match(at(sections, 0).texts?.[1] ?? "", /^The mean of languages changes least with a, .*, and most with w, /);
});

test("mixes of one method are told apart by the two means, not by worst languages, which were chosen for their rise", async () => {
  const stream = encodeScores(makeScores(["dense", "a", "b"]), {
    corpus: "",
    length: 11,
    bos: "auto",
    shares: { en: 1, mr: 1, te: 1 },
    models: { dense: { bytes: 1 }, a: madeWith({ en: 1 }), b: madeWith({ en: 1, mr: 1, te: 1 }) },
  });
  const gains = at((await buildReport([{ name: "s", stream }])).sections, 0);
  const verdicts = gains.points?.find((point) => point.includes("best"));
  assert.is(verdicts, "gptq. Unweighted mean: en alone clearly best. Weighted by training mixture: en alone clearly best.");
});

/** What is said of sizes on disk, by model. */
const sizeText = async (bytes: Readonly<Record<string, number>>): Promise<string | undefined> => {
  const models = Object.fromEntries(Object.entries(bytes).map(([name, size]) => [name, { bytes: size }]));
  const metadata = { corpus: "", length: 11, bos: "auto", shares: undefined, models } as const;
  const names = ["dense", ...Object.keys(bytes).filter((name) => name !== "dense")];
  const { sections } = await buildReport([{ name: "s", stream: encodeScores(makeScores(names), metadata) }]);
  return sections.find(({ id }) => id === "size")?.texts?.[0];
};

test("sizes: what one smaller model takes up of the dense one, what several of one size do", async () => {
  assert.is(
    await sizeText({ dense: 8_400_000, a: 3_850_000 }),
    "a takes up 3.85 MB on disk from the 8.40 MB of dense, 2.18 times smaller.",
  );
  assert.is(
    await sizeText({ dense: 8_400_000, a: 4_200_000, b: 4_200_000 }),
    "The 2 compressed models take up the same: 4.20 MB on disk from the 8.40 MB of dense, 2.00 times smaller.",
  );
  assert.is(await sizeText({ a: 4_200_000 }), "a takes up 4.20 MB on disk.");
  assert.match(
    (await sizeText({ dense: 8_400_000, a: 8_400_000 })) ?? "",
    /^a takes up 8\.40 MB .*, as large\. The dense format stores .* as they were/,
  );
});

test("a page has a title and a first sentence by what it holds", async () => {
  const mixes = { name: "mixes", stream: encodeMixes(makeMixes(), mixesMetadata) };
  const { title, lead } = await buildReport([mixes]);
  assert.is(title, "Calibration mixes compared");
  assert.match(at(lead, 0), /^How much text of each language to calibrate with/);
  assert.is((await buildReport(twoInputs())).title, "What compression did to each language");
  assert.is((await buildReport([at(twoInputs(), 1)])).title, "How alike languages are to the model");
  assert.is((await buildReport(twoInputs(), { title: "Mine" })).title, "Mine");
});

test("every table follows the training shares where they are known, the heat map alone puts alike languages together", async () => {
  const shares = { te: 0.6, mr: 0.3, en: 0.1 };
  const damage = {
    name: "damage",
    stream: encodeDamage(makeDamage(), { model: "", solver: "rtn", scored: "", lossRises: undefined }),
  };
  const { sections } = await buildReport([...twoInputs(), damage], { shares });
  const orderIn = (id: string): readonly string[] => {
    const table = sections.find((section) => section.id === id)?.tables?.at(-1)?.table;
    return (table?.rows ?? []).map((row) => at(row, 0));
  };
  assert.equal(orderIn("rises").slice(0, 3), ["te", "mr", "en"]);
  assert.equal(orderIn("languages"), ["te", "mr", "en"]);
  assert.equal(orderIn("similarity"), ["te", "en", "fr"]);
  assert.equal(orderIn("predicted"), ["te", "mr", "en", "fr"]);
});

test("stars are explained where they stand: in tables, not above bars", async () => {
  const { sections } = await buildReport(twoInputs());
  const texts = sections.filter(({ id }) => id === "rises").flatMap(({ texts: own = [] }) => own);
  assert.not.match(texts.join(" "), "star");
  const table = at(sections.find(({ id }) => id === "rises")?.tables ?? [], 0);
  assert.match(table.caption, /\(\* the 95% interval excludes zero\)$/);
  assert.ok(table.open, "beside the picture");
});

test("SVG and CSV: a file a plot, a file of plain numbers a section", async () => {
  const { sections } = await buildReport(twoInputs());
  assert.equal(
    svgFiles(sections).map(({ name }) => name),
    ["rises.svg", "averages.svg", "similarity.svg"],
  );
  for (const { content } of svgFiles(sections))
    assert.match(content, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^]*<\/svg>\n$/);
  const files = new Map(csvFiles(sections).map(({ name, content }) => [name, csvParse(content)]));
  const rises = files.get("rises.csv");
  assert.equal(rises?.columns, ["language", "series", "rise", "low", "high"]);
  assert.is(rises?.length, 3);
  // te: 30 · 0.05 · 3 nats more in each window of 10 tokens
  const te = rises?.find(({ language }) => language === "te");
  assert.ok(Math.abs(Number(te?.["rise"]) - Math.expm1(0.45)) < 1e-12);
  assert.is(te?.["series"], "<b>gptq</b>");
  assert.is(files.get("languages.csv")?.length, 6);
  assert.is(files.get("size.csv")?.[0]?.["bytes"], "1000000");
});

test("predicted damage: heat map by block and language, table behind it, scatter where scores were given", async () => {
  const lossRises = { en: 0.1, fr: 0.2, mr: 0.3, te: 0.9 };
  const metadata = { model: "", solver: "gptq", scored: "small", lossRises };
  const page = await render([{ name: "damage", stream: encodeDamage(makeDamage(), metadata) }]);
  assert.equal(unclosed(page), []);
  assert.is(page.match(/<svg role="img" aria-label="/g)?.length, 2);
  assert.is(page.match(/<table>/g)?.length, 4, "three of damage, one of artifacts");
  assert.match(page, /heat map of the predicted damage by block and language/);
  assert.match(page, /Spearman\) 1\.00/);
  assert.not.match(page, /NaN|undefined|Infinity/);
  const bare = await render([
    { name: "damage", stream: encodeDamage(makeDamage(), { ...metadata, scored: "", lossRises: undefined }) },
  ]);
  assert.is(bare.match(/<svg role="img" aria-label="/g)?.length, 1);
  assert.match(bare, /No losses are predicted/);
});

test("similarities of all sites: the first input, and the mean over all by each measure", async () => {
  const compared = [
    ["h.0", "input", "degrees"],
    ["h.0", "mlp-up", "subspace:16"],
    ["*", "*", "degrees"],
    ["*", "*", "subspace:16"],
  ] as const;
  const records = compared.flatMap(([block, site, measure], index) =>
    makeSimilarities().map((record) => ({
      ...record,
      block,
      site,
      measure,
      value: record.value / (measure === "degrees" ? 1 + index : 100),
    })),
  );
  const page = await render([{ name: "all", stream: encodeSimilarities(records, { model: "" }) }]);
  assert.is(page.match(/<svg role="img" aria-label="/g)?.length, 3);
  const one = await render([{ name: "all", stream: encodeSimilarities(records, { model: "" }) }], {
    similarity: { measure: "subspace", at: { block: "h.0", site: "mlp-up" } },
  });
  assert.is(one.match(/<svg role="img" aria-label="/g)?.length, 1);
  assert.ok(one.includes("directions of languages, mlp-up of h.0"));
  for (const title of ["input of h.0", "degrees, mean over all sites", "overlap of the 16 leading directions"])
    assert.ok(page.includes(title), title);
});

test("refuses an artifact that reports nothing", async () => {
  const stream = encodeFiles([], { model: "" });
  const error = await buildReport([{ name: "s.arrow", stream }]).catch((thrown: unknown) => thrown);
  assert.instance(error, BadDataError);
  assert.match((error as Error).message, /s\.arrow holds files; give artifacts of kind scores/);
});

test("mixes: three averages and the loss by language, with the mix to use", async () => {
  const page = await buildReport([{ name: "mixes", stream: encodeMixes(makeMixes(), mixesMetadata) }]);
  const html = formatPage(page);
  assert.equal(unclosed(html), []);
  assert.match(html, /<tr><td>→<\/td><th scope="row">worst<\/th>/);
  assert.not.match(html, /<th scope="row"><\/th>/);
  assert.match(html, /mbs sample --mix en=0\.75,mr=0\.25/);
  assert.not.match(html, /NaN|undefined|Infinity/);
  const files = csvFiles(page.sections).map(({ content }) => csvParse(content));
  const [averages, languages] = [at(files, 0), at(files, 1)];
  assert.equal(
    averages.map(({ name, worst, recommended }) => [name, worst, recommended]),
    [
      ["equal", "0.04", "false"],
      ["worst", "0.03", "true"],
    ],
  );
  assert.is(languages.length, 4);
});

test("an artifact without rows is refused by its name", async () => {
  const streams = [
    encodeScores([], { corpus: "", length: 11, bos: "auto", shares: undefined, models: undefined }),
    encodeSimilarities([], { model: "" }),
    encodeDamage([], { model: "", solver: "gptq", scored: "", lossRises: undefined }),
    encodeMixes([], mixesMetadata),
  ];
  for (const stream of streams) {
    const { kind } = stream.schema;
    const error = await buildReport([{ name: "empty.arrow", stream }]).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    assert.instance(error, BadDataError);
    assert.is((error as Error).message, `empty.arrow holds no rows of ${kind}; make it again`);
  }
});

test("languages may be called like what every object has", async () => {
  const [first, second] = ["constructor", "toString"];
  const named = <T extends { readonly language: string }>(records: readonly T[]): T[] =>
    records.map((record) => ({ ...record, language: record.language === "en" ? first : second }));
  const damage = [first, second].flatMap((language) =>
    makeDamage()
      .filter(({ language: own }) => own === "en")
      .map((record) => ({ ...record, language })),
  );
  const page = await render([
    {
      name: "scores.arrow",
      stream: encodeScores(named(makeScores(["valueOf", "hasOwnProperty"]).filter(({ language }) => language !== "mr")), {
        corpus: "",
        length: 11,
        bos: "auto",
        shares: { en: 1 },
        models: {},
      }),
    },
    {
      name: "similarity.arrow",
      stream: encodeSimilarities([{ ...at(makeSimilarities(), 0), first, second }], { model: "" }),
    },
    {
      name: "damage.arrow",
      stream: encodeDamage(damage, { model: "", solver: "gptq", scored: "small", lossRises: { en: 0.1 } }),
    },
    { name: "mixes.arrow", stream: encodeMixes(named(makeMixes()), { ...mixesMetadata, importance: { [first]: 1 } }) },
  ]);
  assert.not.match(page, /NaN|undefined|Infinity|\[native code\]/);
});

test.run();
