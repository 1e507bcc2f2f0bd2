/** Names of tensors, GGUF beside Hugging Face: the part of them that a block's tensors have after the block's own name. */
export type NamePairs = readonly (readonly [gguf: string, huggingFace: string])[];

/** Puts a prefix before both sides. */
export const within = (gguf: string, huggingFace: string, pairs: NamePairs): NamePairs =>
  pairs.map(([one, other]) => [`${gguf}${one}`, `${huggingFace}${other}`]);

/** The names of a model type, GGUF → Hugging Face: `tensors` of its `GgufForm`. */
type Names = ReadonlyMap<string, string>;

/** Where a tensor of a Hugging Face checkpoint is in a GGUF file. */
export interface GgufTensorName {
  readonly name: string;
  /** Whose it is, where the tensor holds those of all experts. */
  readonly expert?: number;
  /** Which matrix of the tensor it is, where the tensor holds several. */
  readonly place: number;
}

interface CompiledName {
  readonly gguf: string;
  readonly pattern: RegExp;
  readonly layers: readonly string[];
}

/** "{gate_proj|up_proj}": layers of an expert whose matrices follow each other in the tensor. */
const severalLayers = /\{(?<layers>\w+(?:\|\w+)+)\}/;

/** A name for each of several layers; the name itself where it stands for one. */
export function namesOfLayers(name: string): readonly string[] {
  const layers = severalLayers.exec(name)?.groups?.["layers"];
  return layers === undefined ? [name] : layers.split("|").map((layer) => name.replace(severalLayers, layer));
}

/** Ends a name that has no ".weight" in a checkpoint. */
const bareName = "{bare}";

/** The whole name of a tensor, in a file or a checkpoint. @param kind "weight" or "bias" */
export const withKind = (name: string, kind: string): string =>
  name.endsWith(bareName) ? name.slice(0, -bareName.length) : `${name}.${kind}`;

/** A tensor of a file by its parts: the name without the kind, and "weight" or "bias"; "" where it ends with neither. */
export function splitKind(tensor: string): { readonly stem: string; readonly kind: string } {
  const { stem = tensor, kind = "" } = /^(?<stem>.*)\.(?<kind>weight|bias)$/.exec(tensor)?.groups ?? {};
  return { stem, kind };
}

/** What a type's names have for a tensor of a file, whose block is "{block}". */
export function findName(names: Names, tensor: string): string | undefined {
  const { stem, kind } = splitKind(tensor);
  return names.get(`${tensor}${bareName}`) ?? (kind === "" ? undefined : names.get(stem));
}

/** T5's ungated MLP has one matrix where the gated one has two, and GGUF calls it by the name of the second. */
const spellings = (huggingFace: string): readonly string[] =>
  huggingFace.endsWith(".wi_1") ? [huggingFace, huggingFace.replace(/_1$/, "")] : [huggingFace];

const compiled = new WeakMap<Names, readonly CompiledName[]>();

function compile(names: Names): readonly CompiledName[] {
  const known = compiled.get(names);
  if (known !== undefined) return known;
  const made = [...names].flatMap(([gguf, huggingFace]) =>
    spellings(huggingFace).map((spelling) => {
      const whole = spelling.endsWith(bareName) ? spelling.slice(0, -bareName.length) : `${spelling}.(?<kind>weight|bias)`;
      const source = whole
        .replaceAll(".", "\\.")
        .replace("{block}", "(?<block>\\d+)")
        .replace("{expert}", "(?<expert>\\d+)")
        .replace(severalLayers, "(?<layer>$<layers>)");
      const layers = severalLayers.exec(spelling)?.groups?.["layers"]?.split("|") ?? [];
      return { gguf, pattern: new RegExp(`^${source}$`), layers };
    }),
  );
  compiled.set(names, made);
  return made;
}

/**
 * The GGUF name of a tensor.
 *
 * @param names of the model type
 * @param tensor name in the checkpoint: "model.layers.3.mlp.up_proj.weight"
 * @param prefixes that the checkpoint may put before names
 * @returns undefined for a tensor that GGUF does not have
 */
export function ggufTensorName(names: Names, tensor: string, prefixes: readonly string[]): GgufTensorName | undefined {
  const bare = [tensor, ...prefixes.filter((prefix) => tensor.startsWith(prefix)).map((prefix) => tensor.slice(prefix.length))];
  for (const { gguf, pattern, layers } of compile(names)) {
    for (const name of bare) {
      const found = pattern.exec(name);
      if (found === null) continue;
      const { block = "", expert, layer = "", kind = "weight" } = found.groups ?? {};
      const named = withKind(gguf.replace("{block}", block), kind);
      if (expert === undefined) return { name: named, place: 0 };
      const place = layers.length === 0 ? Number(expert) : Number(expert) * layers.length + layers.indexOf(layer);
      return { name: named, expert: Number(expert), place };
    }
  }
  return undefined;
}
