import { createHash } from "node:crypto";
import type { FileHandle, Files } from "../world.ts";
import { FirmwareError } from "./firmware_error.ts";

/** Bytes written and hashed at once: a tenth of the calls that the decoder's chunks would make. */
const BATCH = 256 * 1024;

/** A complete file of a spool. */
export interface Spooled {
  /** Where it lies. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256, lower-case hex. */
  readonly sha256: string;
}

/** Writes possible firmwares into a private temporary directory of its own, under names of its own. */
export class FirmwareSpool {
  /** The directory; whoever disposes of the firmware removes it. */
  readonly directory: string;
  readonly #files: Files;
  readonly #limit: number;
  #written = 0;

  private constructor(directory: string, options: { readonly files: Files; readonly limit: number }) {
    this.directory = directory;
    this.#files = options.files;
    this.#limit = options.limit;
  }

  /** Makes the directory. Files larger than `limit` bytes are refused. */
  static async open(files: Files, limit: number): Promise<FirmwareSpool> {
    return new FirmwareSpool(await io(() => files.makeTempDirectory()), { files, limit });
  }

  /**
   * Writes one file, the only one of the spool: an earlier one is removed.
   * Throws {@linkcode FirmwareError} `limit` or `io`, and what `content` throws.
   */
  async write(content: AsyncIterable<Uint8Array>): Promise<Spooled> {
    if (this.#written > 0) await io(() => this.#files.remove(this.#path()));
    this.#written++;
    using handle = await io(() => this.#files.createPrivate(this.#path()));
    const batch = new Batch(handle);
    for await (const chunk of content) {
      if (batch.size + chunk.length > this.#limit) throw tooLarge(this.#limit);
      await batch.add(chunk);
    }
    return { path: this.#path(), ...await batch.end() };
  }

  /** Removes everything. */
  async remove(): Promise<void> {
    await this.#files.remove(this.directory);
  }

  #path(): string {
    return `${this.directory}/firmware-${this.#written}.bin`;
  }
}

/** Collects small chunks into large writes, in one buffer that is used again and again. */
class Batch {
  /** Bytes added. */
  size = 0;
  readonly #handle: FileHandle;
  readonly #hash = createHash("sha256");
  readonly #buffer = new Uint8Array(BATCH);
  #filled = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.size += chunk.length;
    for (let rest = chunk; rest.length > 0;) {
      const part = rest.subarray(0, BATCH - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      rest = rest.subarray(part.length);
      if (this.#filled === BATCH) await this.#flush();
    }
  }

  async end(): Promise<{ readonly size: number; readonly sha256: string }> {
    await this.#flush();
    return { size: this.size, sha256: this.#hash.digest("hex") };
  }

  async #flush(): Promise<void> {
    const full = this.#buffer.subarray(0, this.#filled);
    this.#hash.update(full);
    await io(() => this.#handle.write(full));
    this.#filled = 0;
  }
}

/** Refusal of a firmware of more than `limit` bytes. */
export function tooLarge(limit: number): FirmwareError {
  return new FirmwareError(
    "limit",
    `Cannot extract the firmware: it is larger than ${limit} bytes; raise --max-firmware-size if it is meant to be`,
  );
}

async function io<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new FirmwareError("io", `Cannot write the temporary firmware file: ${found}`, { cause: error });
  }
}
