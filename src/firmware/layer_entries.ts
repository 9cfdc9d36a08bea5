import { createTarDecoder, type ParsedTarEntry } from "modern-tar";
import { FirmwareError } from "./firmware_error.ts";

/** One entry of a layer's tar archive. */
export interface LayerEntry {
  /** Position in the archive, 0 first; metadata entries are not counted. */
  readonly index: number;
  /** Name as the archive has it. */
  readonly name: string;
  /** `special` is a device or a pipe. */
  readonly type: "file" | "directory" | "symlink" | "link" | "special";
  /** Bytes; 0 for what is not a file. */
  readonly size: number;
  /** Where a `symlink` or a hard `link` leads, as the archive has it. */
  readonly linkTarget: string;
}

/** Told of every entry. It may read `content`; what it leaves unread is skipped. */
export type EntryVisitor = (entry: LayerEntry, content: AsyncIterable<Uint8Array>) => Promise<void>;

/** What the tar decoder keeps unread when we are slower than it, in bytes (modern-tar, BUFFER_LIMIT). */
const DECODER_BUFFER = 1024 * 1024;

/**
 * PAX records and GNU long names in front of one entry, in bytes. The decoder collects them whole. 1 MiB is what Go's
 * archive/tar allows, and 250 times the longest path.
 */
const MAX_METADATA = 1024 * 1024;

/**
 * Reads a tar archive to the end of `decoded`, not only to the end mark: what stands in front of it verifies the
 * bytes at their end. ustar, PAX and GNU long names; one `visit` at a time.
 *
 * Throws {@linkcode FirmwareError} `corrupt-archive` or `limit`, what `decoded` throws, and what `visit` throws.
 */
export async function readEntries(decoded: AsyncIterable<Uint8Array>, visit: EntryVisitor): Promise<void> {
  const decoder = createTarDecoder({ strict: true });
  const feed = new Feed();
  const feeding = feed.run(decoded, decoder.writable);
  const reader = decoder.readable.getReader();
  try {
    for (let index = 0;; index++) {
      const { done, value } = await reader.read().catch((error) => feed.rethrow(error));
      if (done) break;
      feed.entryStarts(value.header.size);
      await visit(layerEntry(value, index), feed.contentOf(value.body));
      // Not cancelled: the decoder has looked ahead, and would drop what it decodes now, the body of the next entry.
      await value.body.pipeTo(new WritableStream()).catch((error) => feed.rethrow(error));
    }
    await feeding;
  } finally {
    await reader.cancel("abandoned").catch(() => undefined);
  }
}

/** Pumps the archive into the decoder, and knows why the decoder failed when it does. */
class Feed {
  #fed = 0;
  #mayBeFedUntil = DECODER_BUFFER + MAX_METADATA;
  #failure: { readonly reason: unknown } | undefined;

  /** Never rejects: a failure reaches the reader of the entries through the decoder. */
  async run(decoded: AsyncIterable<Uint8Array>, into: WritableStream<Uint8Array>): Promise<void> {
    const writer = into.getWriter();
    try {
      for await (const chunk of decoded) {
        this.#fed += chunk.length;
        if (this.#fed > this.#mayBeFedUntil) throw tooMuchMetadata();
        if (!await accepted(writer.write(chunk))) return;
      }
      await accepted(writer.close());
    } catch (reason) {
      this.#failure = { reason };
      await writer.abort(reason).catch(() => undefined);
    }
  }

  /**
   * An entry whose header has been read ends at most `size` and its padding further on. When more than the decoder's
   * own buffer is fed beyond that and no other entry appears, the decoder is collecting metadata.
   */
  entryStarts(size: number): void {
    this.#mayBeFedUntil = this.#fed + size + 512 + DECODER_BUFFER + MAX_METADATA;
  }

  async *contentOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const reader = body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read().catch((error) => this.rethrow(error));
        if (done) return;
        yield value;
      }
    } finally {
      reader.releaseLock();
    }
  }

  /** Throws what really happened instead of the error the decoder shows. */
  rethrow(error: unknown): never {
    if (this.#failure !== undefined) throw this.#failure.reason;
    const found = error instanceof Error ? error.message : String(error);
    throw new FirmwareError("corrupt-archive", `Cannot read the layer's tar archive: ${found}`, {
      cause: error,
    });
  }
}

/** False when the decoder has failed: its readable side tells why. */
function accepted(written: Promise<void>): Promise<boolean> {
  return written.then(() => true, () => false);
}

function tooMuchMetadata(): FirmwareError {
  return new FirmwareError(
    "limit",
    `Cannot read the layer's tar archive: more than ${MAX_METADATA} bytes of metadata or padding in front of one entry`,
  );
}

function layerEntry({ header }: ParsedTarEntry, index: number): LayerEntry {
  // A sparse file's content in the archive is not the file's content: nothing here puts the holes back. The form before
  // PAX (type S of `tar --format=gnu -S`) looks like a plain file to the decoder; no layer writer makes one, and
  // what comes of it has lost its checksum, which the image check finds.
  if (Object.keys(header.pax ?? {}).some((key) => key.startsWith("GNU.sparse."))) {
    throw new FirmwareError(
      "corrupt-archive",
      `Cannot read the layer's tar archive: entry ${index} is a sparse file, which layers must not hold`,
    );
  }
  const type = entryType(header.type);
  return {
    index,
    name: header.name,
    type,
    size: type === "file" ? header.size : 0,
    linkTarget: header.linkname ?? "",
  };
}

function entryType(type: ParsedTarEntry["header"]["type"]): LayerEntry["type"] {
  switch (type) {
    case undefined:
    case "file":
      return "file";
    case "directory":
    case "symlink":
    case "link":
      return type;
    default:
      return "special";
  }
}
