import { DOCUMENT_LIMIT } from "./manifest.ts";
import { RegistryError } from "./registry_error.ts";

/** Bytes of all documents read for one answer: those of 64 usual images are 100 KB. All are kept until it is given. */
export const LOOKUP_LIMIT: number = 4 * DOCUMENT_LIMIT;

/** Throws {@linkcode RegistryError} `limit` when documents of so many bytes are too much for one answer. */
export function demandBudget(what: string, bytes: number): void {
  if (bytes <= LOOKUP_LIMIT) return;
  throw new RegistryError(
    "limit",
    `Cannot ${what}: its documents hold ${bytes} bytes, at most ${LOOKUP_LIMIT} together`,
  );
}
