import { algorithmOf, type Digest, digestOf } from "./digest.ts";
import { formatReference, type ImageReference } from "./reference.ts";
import { RegistryError } from "./registry_error.ts";

/** A document that a pin may name: the one a reference names, or one that it offers. */
export interface PinnableDocument {
  /** As it was found. */
  readonly digest: Digest;
  /** Verified. */
  readonly bytes: Uint8Array;
}

/**
 * Holds what was found to the digest that the user expects; each of the documents fixes every byte of the image. The pin's
 * own algorithm decides, whichever one the registry names its documents by.
 *
 * Throws {@linkcode RegistryError} `pin-mismatch`.
 */
export function demandPin(
  reference: ImageReference,
  found: readonly [PinnableDocument, ...PinnableDocument[]],
  wanted: Digest | undefined,
): void {
  if (wanted === undefined || found.some(({ bytes }) => digestOf(bytes, algorithmOf(wanted)) === wanted)) {
    return;
  }
  throw new RegistryError(
    "pin-mismatch",
    `Cannot use '${formatReference(reference)}': it is '${found[0].digest}', expected '${wanted}'; ` +
      `if the tag was moved on purpose, correct --expect-digest`,
  );
}
