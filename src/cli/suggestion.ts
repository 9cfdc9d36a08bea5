import { closestString } from "@std/text/closest-string";
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** Share of a word that may be mistyped before its nearest name is a guess about another thing. */
const MISTYPED_SHARE = 0.5;

/** `, did you mean 'flash'?` for a word that is nearly one of `names`, shown behind `prefix`; else nothing. */
export function didYouMean(word: string, names: readonly string[], prefix = ""): string {
  const closest = closestString(word, names);
  const distance = levenshteinDistance(word, closest);
  return distance <= word.length * MISTYPED_SHARE ? `, did you mean '${prefix}${closest}'?` : "";
}
