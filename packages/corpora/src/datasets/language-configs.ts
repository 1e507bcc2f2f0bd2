/** "tag:config" words to a map; a word alone is both. */
const parse = (words: string): ReadonlyMap<string, string> =>
  new Map(
    words
      .trim()
      .split(/\s+/)
      .map((word) => word.split(":", 2))
      .map(([tag = "", config = tag]): [string, string] => [tag, config]),
  );

/**
 * FineWeb-2 names a language by its code of ISO 639-3 and the script, and where that has both, by the largest language of a group
 * (zh: cmn, ar: arb). Two-letter codes from ISO 639-3's table (npm iso-639-3 3.0.1), scripts from CLDR's likely subtags, each
 * config checked against configs/ of https://github.com/huggingface/fineweb-2 (d0defb24). English is not in it.
 */
export const finewebConfigs = parse(`
  ab:abk_Cyrl af:afr_Latn ak:twi_Latn am:amh_Ethi an:arg_Latn ar:arb_Arab as:asm_Beng av:ava_Cyrl ay:ayr_Latn
  az:azj_Latn ba:bak_Cyrl be:bel_Cyrl bg:bul_Cyrl bi:bis_Latn bm:bam_Latn bn:ben_Beng bo:bod_Tibt br:bre_Latn
  bs:bos_Latn ca:cat_Latn ce:che_Cyrl ch:cha_Latn co:cos_Latn cr:crk_Cans cs:ces_Latn cu:chu_Cyrl cv:chv_Cyrl
  cy:cym_Latn da:dan_Latn de:deu_Latn dv:div_Thaa dz:dzo_Tibt ee:ewe_Latn el:ell_Grek eo:epo_Latn es:spa_Latn
  et:ekk_Latn eu:eus_Latn fa:fas_Arab ff:fuv_Latn fi:fin_Latn fil:fil_Latn fj:fij_Latn fo:fao_Latn fr:fra_Latn
  fy:fry_Latn ga:gle_Latn gd:gla_Latn gl:glg_Latn gn:gug_Latn gu:guj_Gujr gv:glv_Latn ha:hau_Latn he:heb_Hebr
  hi:hin_Deva ho:hmo_Latn hr:hrv_Latn ht:hat_Latn hu:hun_Latn hy:hye_Armn hz:her_Latn ia:ina_Latn id:ind_Latn
  ie:ile_Latn ig:ibo_Latn ik:esi_Latn io:ido_Latn is:isl_Latn it:ita_Latn iu:ike_Cans ja:jpn_Jpan jv:jav_Latn
  ka:kat_Geor kg:kng_Latn ki:kik_Latn kj:kua_Latn kk:kaz_Cyrl kl:kal_Latn km:khm_Khmr kn:kan_Knda ko:kor_Hang
  ks:kas_Arab ku:kmr_Latn kv:kpv_Cyrl kw:cor_Latn ky:kir_Cyrl la:lat_Latn lb:ltz_Latn lg:lug_Latn li:lim_Latn
  ln:lin_Latn lo:lao_Laoo lt:lit_Latn lu:lub_Latn lv:lvs_Latn mg:plt_Latn mh:mah_Latn mi:mri_Latn mk:mkd_Cyrl
  ml:mal_Mlym mn:khk_Cyrl mr:mar_Deva ms:zsm_Latn mt:mlt_Latn my:mya_Mymr nb:nob_Latn nd:nde_Latn ne:npi_Deva
  ng:ndo_Latn nl:nld_Latn nn:nno_Latn no:nob_Latn nr:nbl_Latn nv:nav_Latn ny:nya_Latn oc:oci_Latn oj:ojb_Cans
  om:gaz_Latn or:ory_Orya os:oss_Cyrl pa:pan_Guru pl:pol_Latn ps:pbt_Arab pt:por_Latn qu:quy_Latn rm:roh_Latn
  rn:run_Latn ro:ron_Latn ru:rus_Cyrl rw:kin_Latn sa:san_Deva sc:srd_Latn sd:snd_Arab se:sme_Latn sg:sag_Latn
  si:sin_Sinh sk:slk_Latn sl:slv_Latn sm:smo_Latn sn:sna_Latn so:som_Latn sq:als_Latn sr-Latn:srp_Latn
  sr:srp_Cyrl ss:ssw_Latn st:sot_Latn su:sun_Latn sv:swe_Latn sw:swh_Latn ta:tam_Taml te:tel_Telu tg:tgk_Cyrl
  th:tha_Thai ti:tir_Ethi tk:tuk_Latn tl:fil_Latn tn:tsn_Latn to:ton_Latn tr:tur_Latn ts:tso_Latn tt:tat_Cyrl
  tw:twi_Latn ty:tah_Latn ug:uig_Arab uk:ukr_Cyrl ur:urd_Arab uz:uzn_Latn ve:ven_Latn vi:vie_Latn vo:vol_Latn
  wa:wln_Latn wo:wol_Latn xh:xho_Latn yi:ydd_Hebr yo:yor_Latn za:zyb_Latn zh:cmn_Hani zu:zul_Latn
`);

/** Languages of https://huggingface.co/datasets/uonlp/CulturaX, as in its card; als is Alemannic there, not Tosk Albanian. */
export const culturaxConfigs = parse(`
  af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb cs cv cy da de
  dsb dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu he hi hr hsb ht hu hy ia id ie ilo io is it ja
  jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr mrj ms mt mwl
  my myv mzn nah nap nds ne new nl nn no oc or os pa pam pl pms pnb ps pt qu rm ro ru rue sa sah scn sd sh si sk
  sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vi vls vo wa war wuu xal xmf yi yo yue zh fil:tl gsw:als nb:no zh-Hant:zh
`);

/** Languages of https://github.com/csebuetnlp/xl-sum; the configs of the dataset are their English names. */
export const xlsumConfigs = parse(`
  am:amharic ar:arabic az:azerbaijani bn:bengali cy:welsh en:english es:spanish fa:persian fr:french
  gd:scottish_gaelic gu:gujarati ha:hausa hi:hindi id:indonesian ig:igbo ja:japanese ko:korean ky:kyrgyz
  mr:marathi my:burmese ne:nepali om:oromo pa:punjabi pcm:pidgin ps:pashto pt:portuguese rn:kirundi ru:russian
  si:sinhala so:somali sr-Cyrl:serbian_cyrillic sr-Latn:serbian_latin sw:swahili ta:tamil te:telugu th:thai
  ti:tigrinya tr:turkish uk:ukrainian ur:urdu uz:uzbek vi:vietnamese yo:yoruba zh-Hans:chinese_simplified
  zh-Hant:chinese_traditional
`);

/** https://huggingface.co/datasets/allenai/MADLAD-400 has some 400 codes, mostly the shortest of ISO 639; these are others. */
export const madladConfigs = parse("he:iw nb:no tl:fil zh-Hant:zh");
