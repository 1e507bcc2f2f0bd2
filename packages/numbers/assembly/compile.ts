import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const folder = fileURLToPath(new URL(".", import.meta.url));
const target = fileURLToPath(new URL("../src/columns/column-kernel-binary.ts", import.meta.url));

/** The text of src/columns/column-kernel-binary.ts: assembly/column-kernel.ts compiled. */
export async function compileKernel(): Promise<string> {
  let binary: Uint8Array | undefined;
  const flags = ["--enable", "simd", "-O3", "--noAssert", "--runtime", "stub", "--importMemory"];
  const { error, stderr } = await asc.main(["column-kernel.ts", "--baseDir", folder, "--outFile", "kernel.wasm", ...flags], {
    writeFile: (_, contents) => {
      binary = typeof contents === "string" ? undefined : contents;
    },
  });
  if (error || !binary) throw new Error(`the kernel does not compile: ${stderr.toString()}`, { cause: error });
  const lines =
    Buffer.from(binary)
      .toString("base64")
      .match(/.{1,120}/g) ?? [];
  return [
    "// Made by `npm run kernel` in this package from assembly/column-kernel.ts; do not edit.",
    "",
    "/** The column kernel as WebAssembly, base64. */",
    `export const columnKernelBinary =\n${lines.map((line) => `  "${line}"`).join(" +\n")};`,
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(target, await compileKernel());
