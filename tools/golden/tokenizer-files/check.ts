// How many texts of each case have other tokens here: node --conditions=mbs-source --import tsx check.ts WORK
// Writes the converted tokenizer.json into each folder's `written`, for compare.py.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readDescription } from "../../../packages/models/src/folder/model-description.ts";

interface Golden {
  readonly lines: readonly { readonly text: string; readonly ids: readonly number[]; readonly decoded: string | null }[];
}

const work = process.argv[2] ?? "";
for (const name of (await readdir(work)).sort()) {
  const folder = join(work, name);
  const { lines } = JSON.parse(await readFile(join(folder, "golden.json"), "utf8")) as Golden;
  const began = performance.now();
  const description = await readDescription(folder);
  const tokenizer = await description.tokenizer();
  const opened = performance.now();
  const others: string[] = [];
  const texts: string[] = [];
  for (const { text, ids, decoded } of lines) {
    const own = [...tokenizer.encode(text)];
    if (own.join() !== ids.join())
      others.push(`${JSON.stringify(text.slice(0, 50))} ${own.slice(0, 12).join()} / ${ids.slice(0, 12).join()}`);
    const back = tokenizer.decode(ids);
    if (decoded !== null && back !== decoded)
      texts.push(`${JSON.stringify(back.slice(0, 60))} / ${JSON.stringify(decoded.slice(0, 60))}`);
  }
  const characters = lines.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  const seconds = (performance.now() - opened) / 1000;
  console.log(
    `${name}: ${others.length} of ${lines.length} texts have other tokens, ${texts.length} are decoded otherwise; opened in ${Math.round(opened - began)} ms, ${(characters / 1e6 / seconds).toFixed(2)} MB/s with decoding`,
  );
  for (const line of [...others.slice(0, 6), ...texts.slice(0, 6).map((text) => `decoded ${text}`)]) console.log(`  ${line}`);
  await mkdir(join(folder, "written"), { recursive: true });
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    await writeFile(join(folder, "written", file), await description.files.text(file));
  }
}
