/**
 * Writes packages/host-grpc/src/protocol/descriptors.ts from protos/, so that no .proto is parsed while the program runs.
 *
 *   node --import tsx tools/protos/generate.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { format } from "oxfmt";
import protobuf from "protobufjs";

const root = new URL("../../", import.meta.url);
const sources = ["protos/arrow/flight/Flight.proto", "protos/mbs/v1/stage.proto"] as const;

/** The text of the generated module. */
export async function generateDescriptors(): Promise<string> {
  const all = new protobuf.Root();
  for (const source of sources) protobuf.parse(readFileSync(new URL(source, root), "utf8"), all);
  const json = JSON.stringify(all.toJSON(), null, 2);
  const text = `// Generated from ${sources.join(" and ")} by tools/protos/generate.ts; do not edit.\nexport const descriptors = ${json};\n`;
  const { printWidth } = JSON.parse(readFileSync(new URL(".oxfmtrc.json", root), "utf8")) as { printWidth: number };
  return (await format("descriptors.ts", text, { printWidth })).code;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(new URL("packages/host-grpc/src/protocol/descriptors.ts", root), await generateDescriptors());
}
