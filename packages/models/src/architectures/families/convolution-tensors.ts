import type { ConvolutionShape } from "../../graph/causal-conv.ts";
import type { BlockTensor } from "./decoder-blocks.ts";

/** Weight and bias of a convolution over tokens, as `causalConvolution` reads them. @param name after the block's own name */
export const convolutionTensors = (role: string, name: string, { channels, width, bias }: ConvolutionShape): BlockTensor[] => [
  { role: `${role}.weight`, name: `${name}.weight`, shape: [channels, 1, width] },
  ...(bias ? [{ role: `${role}.bias`, name: `${name}.bias`, shape: [channels] }] : []),
];
