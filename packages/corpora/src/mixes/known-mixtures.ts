/** What is published of a family of models. */
interface Family {
  /** The whole of a `model_type`, or what names of its models have. */
  readonly type?: string;
  readonly name?: RegExp;
  /** Name of its training mixture among the presets. */
  readonly preset?: string;
  /** Its languages, where their shares are not published. */
  readonly languages?: readonly string[];
}

const split = (tags: string): readonly string[] => tags.split(" ");

/** Families with a published mixture, or at least with a published list of languages. The first that fits counts. */
const families: readonly Family[] = [
  { type: "bloom", preset: "bloom" },
  { type: "mt5", preset: "mt5" },
  { type: "xglm", preset: "xglm" },
  { type: "smollm3", preset: "smollm3" },
  { name: /salamandra/i, preset: "salamandra" },
  { name: /llama-?2(?!\d)/i, preset: "llama-2" },
  // arXiv:2412.04261, the 23 languages of Aya Expanse
  { name: /aya-(?:expanse|23)/i, languages: split("ar zh-Hans cs nl en fr de el he hi id it ja ko fa pl pt ro ru es tr uk vi") },
  // arXiv:2409.16235, section 2
  {
    name: /eurollm/i,
    languages: split(
      "bg hr cs da nl en et fi fr de el hu ga it lv lt mt pl pt ro sk sl es sv ar ca zh-Hans gl hi ja ko no ru tr uk",
    ),
  },
];

/** What is published of a model's languages. */
export interface PublishedLanguages {
  /** Name of a preset of shares. */
  readonly preset?: string;
  /** Languages without shares. */
  readonly languages: readonly string[];
}

/**
 * What is published of the family that a model is of.
 *
 * @param modelType as in config.json
 * @param names that the model has: of its folder or file, on the Hub, in its configuration or card
 */
export function publishedLanguages(modelType: string, names: readonly string[]): PublishedLanguages {
  const found = families.find(
    ({ type, name }) => type === modelType || (name !== undefined && names.some((own) => name.test(own))),
  );
  return { languages: found?.languages ?? [], ...(found?.preset !== undefined && { preset: found.preset }) };
}
