/**
 * Makes the texts of the comparison: LibreOffice's help in eight languages or twelve, from Debian's packages.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/texts.ts --output FOLDER [--languages 8|12]
 *
 * FOLDER gets calibration/, validation/ and heldout/ with LANG.jsonl (a page a document), a manifest for each, shares.json
 * with the assumed training mixture, and texts.json with versions and hashes. A page is on the same side in every
 * language, so held-out text is no translation of calibration text. Paragraphs that a translation left in English are left
 * out. The texts are under the MPL 2.0; nothing of them is committed.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "node-html-parser";
import { stringify } from "yaml";
import { languages as eight, twelveLanguages } from "./languages.ts";

const sides = ["heldout", "validation", "calibration", "calibration"] as const;
/** Characters of a paragraph, and of a page, below which it is left out: headings alone are no text. */
const least = { paragraph: 20, page: 200 };

const { values } = parseArgs({ options: { output: { type: "string" }, languages: { type: "string", default: "8" } } });
const languages = { 8: eight, 12: twelveLanguages }[values.languages];
if (values.output === undefined || languages === undefined) throw new Error("usage: texts.ts --output FOLDER [--languages 8|12]");
const root = resolve(values.output);

const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

function command(program: string, args: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0)
    throw new Error(`${program} ${args.join(" ")} failed${error ? `: ${error.message}` : ""}; Debian's apt and dpkg are needed`);
}

/** Paragraphs of a page by their id, which is the same in every language. */
function paragraphsOf(html: string): ReadonlyMap<string, string> {
  const area = parse(html).querySelector("#DisplayArea");
  const found = area?.querySelectorAll("p[id], h1[id], h2[id], h3[id], h4[id], h5[id], h6[id]") ?? [];
  return new Map(found.map((element) => [element.id, element.text.replaceAll(/\s+/g, " ").trim()]));
}

interface Page {
  readonly source: string;
  readonly text: string;
}

/** The pages of a language, without what is the same in English. */
async function readPages(folder: string, english: string): Promise<readonly Page[]> {
  const pages: Page[] = [];
  for (const source of (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".html")).sort()) {
    const own = paragraphsOf(await readFile(join(folder, source), "utf8"));
    const original =
      folder === english || !existsSync(join(english, source))
        ? new Map<string, string>()
        : paragraphsOf(await readFile(join(english, source), "utf8"));
    const kept = [...own].filter(([id, text]) => text.length >= least.paragraph && original.get(id) !== text);
    const text = kept.map(([, paragraph]) => paragraph).join("\n");
    if (text.length >= least.page) pages.push({ source, text });
  }
  return pages;
}

const helpFolder = (work: string, folder: string): string => join(work, "root", "usr/share/libreoffice/help", folder, "text");

const work = await mkdtemp(join(await mkdir(root, { recursive: true }).then(() => root), ".texts-"));
try {
  const packages: Record<string, string> = {};
  for (const { package: name } of languages) {
    process.stderr.write(`texts: ${name}\n`);
    command("apt-get", ["download", "-q", name], work);
    const deb = (await readdir(work)).find((file) => file.startsWith(`${name}_`));
    if (deb === undefined) throw new Error(`apt-get downloaded no ${name}; run apt-get update`);
    packages[deb] = sha256(await readFile(join(work, deb)));
    command("dpkg-deb", ["-x", deb, join(work, "root")], work);
  }
  const english = helpFolder(work, "en-US");
  const files: Record<string, string> = {};
  const made = join(work, "made");
  for (const { tag, folder } of languages) {
    const pages = await readPages(helpFolder(work, folder), english);
    for (const side of new Set(sides)) {
      const chosen = pages.filter(({ source }) => sides[Number.parseInt(sha256(source).slice(0, 4), 16) % sides.length] === side);
      const content = chosen.map((page) => `${JSON.stringify(page)}\n`).join("");
      await mkdir(join(made, side), { recursive: true });
      await writeFile(join(made, side, `${tag}.jsonl`), content);
      files[`${side}/${tag}.jsonl`] = sha256(content);
      process.stderr.write(`texts: ${side} ${tag}: ${chosen.length} pages, ${content.length} characters\n`);
    }
  }
  for (const side of new Set(sides)) {
    const entries = Object.fromEntries(languages.map(({ tag }) => [tag, `${side}/${tag}.jsonl`]));
    await writeFile(join(made, `${side}.yaml`), stringify({ languages: entries }));
  }
  const sum = languages.reduce((all, { share }) => all + share, 0);
  const shares = Object.fromEntries(languages.map(({ tag, share }) => [tag, Number((share / sum).toFixed(6))]));
  const source = "assumed: Gemma's mixture is not published (tools/compare/languages.ts)";
  await writeFile(
    join(made, "shares.json"),
    `${JSON.stringify({ name: "assumed", unit: "tokens", source, shares }, undefined, 2)}\n`,
  );
  await writeFile(join(made, "texts.json"), `${JSON.stringify({ licence: "MPL-2.0", packages, files }, undefined, 2)}\n`);
  for (const name of await readdir(made)) {
    await rm(join(root, name), { recursive: true, force: true });
    await rename(join(made, name), join(root, name));
  }
} finally {
  await rm(work, { recursive: true, force: true });
}
