import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const folder = fileURLToPath(new URL(".", import.meta.url));
const target = fileURLToPath(new URL("../src/wasm/kernels-binary.ts", import.meta.url));
const sources = [
  "column-kernel.ts",
  "grid-kernel.ts",
  "block-kernel.ts",
  "refit-kernel.ts",
  "point-kernel.ts",
  "nearest-kernel.ts",
  "rescale-kernel.ts",
  "logits-kernel.ts",
];

/** The text of src/wasm/kernels-binary.ts: the kernels of this folder compiled. */
export async function compileKernels(): Promise<string> {
  let binary: Uint8Array | undefined;
  const flags = ["--enable", "simd", "-O3", "--noAssert", "--runtime", "stub", "--importMemory"];
  const { error, stderr } = await asc.main([...sources, "--baseDir", folder, "--outFile", "kernels.wasm", ...flags], {
    writeFile: (_, contents) => {
      binary = typeof contents === "string" ? undefined : contents;
    },
  });
  if (error || !binary) throw new Error(`the kernels do not compile: ${stderr.toString()}`, { cause: error });
  const lines =
    Buffer.from(binary)
      .toString("base64")
      .match(/.{1,120}/g) ?? [];
  return [
    "// Made by `npm run kernels` in this package from assembly/; do not edit.",
    "",
    "/** The kernels as WebAssembly, base64. */",
    `export const kernelsBinary =\n${lines.map((line) => `  "${line}"`).join(" +\n")};`,
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(target, await compileKernels());
