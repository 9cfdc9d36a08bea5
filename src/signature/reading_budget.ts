import { SignatureError } from "./signature_error.ts";
import { MAX_SIGNATURES } from "./signature_manifest.ts";

/** A hundred bundles of 10 KiB and their manifests are some 2 MiB; eight times that. */
const MAX_TOTAL_BYTES = 16 * 1024 * 1024;

/**
 * What one search may still read, whatever it turns out to be: layers that hold no signature cost as much as those
 * that do. Going over it is an error, never a cut.
 */
export class ReadingBudget {
  readonly #digest: string;
  #layers = 0;
  #bytes = 0;

  /** For the signatures of the image `digest`. */
  constructor(digest: string) {
    this.#digest = digest;
  }

  /** Throws {@linkcode SignatureError} `limit` when more manifests are listed than are looked at. */
  checkListed(manifests: number): void {
    if (manifests > MAX_SIGNATURES) this.#exceeded(`more than ${MAX_SIGNATURES}`);
  }

  /** Counts a layer. Throws {@linkcode SignatureError} `limit` when it is one too many. */
  countLayer(): void {
    if (++this.#layers > MAX_SIGNATURES) this.#exceeded(`more than ${MAX_SIGNATURES}`);
  }

  /** Counts `bytes` that are read. Throws {@linkcode SignatureError} `limit` when they are too many. */
  countBytes(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_TOTAL_BYTES) this.#exceeded(`more than ${MAX_TOTAL_BYTES} bytes in all`);
  }

  #exceeded(found: string): never {
    throw new SignatureError(
      "limit",
      `Cannot read the signatures of ${this.#digest}: ${found}; remove old ones`,
    );
  }
}
