import { behind } from "../../gguf/dense-tensor.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { bert, bertFields, bertViews } from "./bert.gguf.ts";

/** Positions are counted from behind that of padding: the file has no others. */
const firstPosition = (padding: number): number => padding + 1;

const positions: MetadataField = {
  write: (model) =>
    model.counts({
      context_length: model.number("max_position_embeddings") - firstPosition(model.number("pad_token_id")),
    }),
};

/** Read as BERT, which is what XLM-R is without the positions that no token has. */
export const xlmRoberta: GgufForm = {
  ...bert,
  className: "XLMRobertaModel",
  views: (config) => ({ ...bertViews, position_embd: behind(firstPosition(Number(config["pad_token_id"]))) }),
  fields: bertFields(positions),
  isOf: () => false,
};
