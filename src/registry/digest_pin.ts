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

/** True for the expected document. The pin's own algorithm decides, whichever one the registry names it by. */
export function fitsPin({ bytes }: PinnableDocument, wanted: Digest | undefined): boolean {
  return wanted === undefined || digestOf(bytes, algorithmOf(wanted)) === wanted;
}

/**
 * Holds what was found to the digest that the user expects; each of the documents fixes every byte of the image.
 *
 * Throws {@linkcode RegistryError} `pin-mismatch`.
 */
export function demandPin(
  reference: ImageReference,
  found: readonly [PinnableDocument, ...PinnableDocument[]],
  wanted: Digest | undefined,
): void {
  if (!found.some((document) => fitsPin(document, wanted))) {
    throw pinMismatch(reference, found[0].digest, wanted);
  }
}

/** Neither the named document nor one that it offers is the expected one. */
export function pinMismatch(
  reference: ImageReference,
  found: Digest,
  wanted: Digest | undefined,
): RegistryError {
  return new RegistryError(
    "pin-mismatch",
    `Cannot use '${formatReference(reference)}': it is '${found}', expected '${wanted}'; ` +
      `if the tag was moved on purpose, correct --expect-digest`,
  );
}
