import { createHash, type Hash } from "node:crypto";
import { FirmwareError } from "./firmware_error.ts";
import { decodeLayer } from "./layer_decoder.ts";
import { LayerReader, type LayerSource } from "./layer_source.ts";

/** How to read the content of a layer. */
export interface LayerContentOptions {
  /** Aborting it ends the reading with its reason. */
  readonly signal: AbortSignal;
  /** Uncompressed bytes allowed. */
  readonly limit: number;
}

/**
 * Gives `consume` the uncompressed content of a layer, which it must read to the end, and its result back only when
 * the layer has proven to be the one named: compressed by its own stream, uncompressed by its diffID.
 *
 * A layer that is too long as it is stored is not even asked for: neither the line nor the content store is for it.
 *
 * Throws {@linkcode FirmwareError}, what the layer's stream throws (also where its broken bytes made the decoder
 * fail first), and what `consume` throws.
 */
export async function readLayer<Result>(
  layer: LayerSource,
  consume: (content: AsyncIterable<Uint8Array>) => Promise<Result>,
  options: LayerContentOptions,
): Promise<Result> {
  // what a compressor cannot shrink it lengthens by less than a thousandth
  if (layer.size > options.limit + options.limit / 1000) throw tooMuch(layer, options.limit);
  using reader = new LayerReader(layer, options.signal);
  const content = new CheckedContent(layer, options.limit);
  try {
    const result = await consume(content.chunks(decodeLayer(reader.chunks())));
    await reader.drain();
    content.verify();
    return result;
  } catch (error) {
    // A wrong blob is the better explanation of an undecodable one: let the stream reach the end where it can tell.
    if (error instanceof FirmwareError && error.code === "corrupt-archive") await reader.drain();
    throw error;
  }
}

/** Counts and hashes what passes. */
class CheckedContent {
  readonly #layer: LayerSource;
  readonly #limit: number;
  readonly #hash: Hash | undefined;
  #size = 0;
  #ended = false;

  constructor(layer: LayerSource, limit: number) {
    this.#layer = layer;
    this.#limit = limit;
    this.#hash = layer.diffId === undefined ? undefined : hashOf(layer.diffId);
  }

  async *chunks(decoded: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of decoded) {
      this.#size += chunk.length;
      if (this.#size > this.#limit) {
        throw tooMuch(this.#layer, this.#limit);
      }
      this.#hash?.update(chunk);
      yield chunk;
    }
    this.#ended = true;
  }

  /** Throws unless all of the content has passed and it is what the image's config names. */
  verify(): void {
    if (!this.#ended) throw new Error("the layer's content was not read to its end");
    if (this.#hash === undefined || this.#layer.diffId === undefined) return;
    const found = `${this.#layer.diffId.split(":", 1)[0]}:${this.#hash.digest("hex")}`;
    if (found === this.#layer.diffId) return;
    throw new FirmwareError(
      "content-mismatch",
      `Cannot use layer '${this.#layer.digest}': uncompressed it is '${found}', ` +
        `but the image's config names '${this.#layer.diffId}'`,
    );
  }
}

function tooMuch({ digest }: LayerSource, limit: number): FirmwareError {
  return new FirmwareError(
    "limit",
    `Cannot read layer '${digest}': it holds more than ${limit} bytes uncompressed; ` +
      "raise --max-firmware-size if it is meant to",
  );
}

/** The hash a diffID is made with (image-spec descriptor.md, "Registered algorithms"). */
function hashOf(diffId: string): Hash {
  const algorithm = diffId.split(":", 1)[0];
  if (algorithm === "sha256" || algorithm === "sha512") return createHash(algorithm);
  throw new FirmwareError(
    "content-mismatch",
    `Cannot verify diffID '${diffId}': unknown algorithm, expected sha256 or sha512`,
  );
}
