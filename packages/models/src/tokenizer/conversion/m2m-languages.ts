/** Languages of M2M-100 in the order of their tokens. @see transformers/models/m2m_100/tokenization_m2m_100.py */
const ofM2m = [
  "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu",
  "hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt",
  "ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu",
].flatMap((line) => line.split(" "));

/** Those of the models that were trained on WMT 21. */
const ofWmt21 = "en ha is ja cs ru zh de".split(" ");

/** The tokens of the languages of a tokenizer, by `language_codes` of its configuration. */
export const m2mLanguages = (codes: unknown): readonly string[] =>
  (codes === "wmt21" ? ofWmt21 : ofM2m).map((language) => `__${language}__`);
