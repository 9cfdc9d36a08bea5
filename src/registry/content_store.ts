import type { FileHandle, World } from "../world.ts";
import { algorithmOf, type Digest, digestOf, hexOf } from "./digest.ts";
import type { ByteSource } from "./byte_source.ts";
import { type Expected, verifiedSource, type VerifyOptions } from "./verified_source.ts";

/** Bytes read at once from a file, as many as a read from a connection brings. */
const PIECE = 64 * 1024;

/** A day without a byte: a stalled pull is given up much earlier, so whoever wrote it was killed. */
const ABANDONED_AFTER = 24 * 3600 * 1000;

/** The bytes of a source, on their way into a store. */
export interface KeptSource extends ByteSource {
  /** True once it is clear that the store will not have them: there was no room, or it may not be written to. */
  readonly isLost: boolean;
}

/**
 * Content by digest in a directory, as in an OCI layout: `blobs/<algorithm>/<hex>`.
 *
 * What is written appears by rename, whole or not at all, so that several programs may share the directory. What is
 * read is verified each time: the directory is trusted no more than a registry. A store that fails is as good as
 * none: it warns, and the registry is asked.
 */
export class ContentStore {
  readonly #directory: string;
  readonly #world: World;
  #sweeping: Promise<void> | undefined;

  /** Touches nothing yet. */
  constructor(directory: string, world: World) {
    this.#directory = directory;
    this.#world = world;
  }

  /** Content of at most `limit` bytes, or `undefined`. */
  async readSmall(digest: Digest, limit: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await this.#sound(digest, limit, async (file) => {
      const size = await file.size();
      // it may have grown since it was looked at
      const bytes = new Uint8Array(Math.min(size, limit));
      const length = await file.readAt(0, bytes);
      return length === size && digestOf(bytes, algorithmOf(digest)) === digest ? bytes : undefined;
    });
  }

  /** Content as a source, verified once before its first byte is given out, and again while it is. */
  async open(expected: Expected, options?: VerifyOptions): Promise<ByteSource | undefined> {
    return await this.#sound(expected.digest, Infinity, async (file) => {
      const isSound = await drain(verifiedSource(fileSource(file, new Uint8Array(PIECE)), expected));
      if (!isSound) return undefined;
      const again = await this.#world.files.open(this.#pathOf(expected.digest));
      return verifiedSource(fileSource(again), expected, options);
    });
  }

  /** Keeps verified bytes. */
  async keep(digest: Digest, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const entry = await this.#newEntry();
    await entry?.write(bytes);
    await entry?.commit(this.#pathOf(digest));
  }

  /** The same bytes; once their verified end is reached, the store has them too, unless they are lost to it. */
  keeping(source: ByteSource, digest: Digest): KeptSource {
    let entry: Promise<NewEntry | undefined> | undefined;
    let isLost = false;
    return {
      read: async () => {
        const bytes = await source.read();
        const open = await (entry ??= this.#newEntry());
        if (bytes === undefined) await open?.commit(this.#pathOf(digest));
        else await open?.write(bytes);
        isLost = open?.isLost ?? true;
        return bytes;
      },
      close: async () => {
        await (await entry)?.abandon();
        await source.close();
      },
      get isLost() {
        return isLost;
      },
    };
  }

  /** Runs `read` on the file of a digest; one that is not what it should be is removed, one over the limit let be. */
  async #sound<Result>(
    digest: Digest,
    limit: number,
    read: (file: FileHandle) => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    const path = this.#pathOf(digest);
    try {
      const facts = await this.#world.files.facts(path);
      if (!facts?.isFile || facts.size > limit) return undefined;
      using file = await this.#world.files.open(path);
      const result = await read(file);
      if (result !== undefined) return result;
      this.#world.log.warn(`The content store holds something else under '${digest}', fetching it again`);
      await this.#world.files.remove(path);
    } catch (error) {
      this.#warn("read from", error);
    }
    return undefined;
  }

  async #newEntry(): Promise<NewEntry | undefined> {
    const ingest = `${this.#directory}/ingest`;
    const path = `${ingest}/${crypto.randomUUID()}`;
    try {
      await this.#world.files.makeDirectory(ingest);
      await (this.#sweeping ??= this.#sweep(ingest));
      return new NewEntry(path, await this.#world.files.createPrivate(path), this.#world);
    } catch (error) {
      this.#warn("write to", error);
      return undefined;
    }
  }

  /** Removes what killed programs have left. */
  async #sweep(ingest: string): Promise<void> {
    const { clock, files, log } = this.#world;
    try {
      for (const path of (await files.list(ingest)).map((name) => `${ingest}/${name}`)) {
        const facts = await files.facts(path);
        const age = clock.now() - (facts?.modified ?? Infinity);
        if (facts?.isFile && age > ABANDONED_AFTER) await files.remove(path);
      }
    } catch (error) {
      // it may be another user's, and it is not in the way
      log.debug(`Cannot clear '${ingest}': ${error instanceof Error ? error.name : "it failed"}`);
    }
  }

  #warn(what: string, error: unknown): void {
    const found = error instanceof Error ? error.name : "it failed";
    this.#world.log.warn(
      `Cannot ${what} the content store '${this.#directory}': ${found}, going on without it`,
    );
  }

  #pathOf(digest: Digest): string {
    return `${this.#directory}/blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
  }
}

/** A file that will get its name when it is complete. */
class NewEntry {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #world: World;
  #isOver = false;
  /** True once it could not be written. */
  isLost = false;

  constructor(path: string, file: FileHandle, world: World) {
    this.#path = path;
    this.#file = file;
    this.#world = world;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#isOver) await this.#orAbandon(() => this.#file.write(bytes));
  }

  async commit(path: string): Promise<void> {
    if (this.#isOver) return;
    // no sync: what a power cut leaves half-written fails the verification of the next read
    await this.#orAbandon(async () => {
      await this.#world.files.makeDirectory(path.slice(0, path.lastIndexOf("/")));
      await this.#world.files.rename(this.#path, path);
      this.#isOver = true;
      this.#file.close();
    });
  }

  async abandon(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#file.close();
    await this.#world.files.remove(this.#path);
  }

  /** A full disk must not fail a pull. */
  async #orAbandon(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      const found = error instanceof Error ? error.name : "it failed";
      this.#world.log.warn(`Cannot write to the content store: ${found}, going on without it`);
      this.isLost = true;
      await this.abandon();
    }
  }
}

/** With a `buffer` of its own, each piece is overwritten by the next one. */
function fileSource(file: FileHandle, buffer?: Uint8Array<ArrayBuffer>): ByteSource {
  return {
    async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
      const piece = buffer ?? new Uint8Array(PIECE);
      const length = await file.read(piece);
      return length === null ? undefined : piece.subarray(0, length);
    },
    close(): Promise<void> {
      file.close();
      return Promise.resolve();
    },
  };
}

async function drain(source: ByteSource): Promise<boolean> {
  try {
    while (await source.read() !== undefined);
    return true;
  } catch {
    return false;
  }
}
