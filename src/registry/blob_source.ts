import { DeadlineError } from "../deadline.ts";
import type { World } from "../world.ts";
import type { AuthSession } from "./auth_session.ts";
import { discard } from "./bounded_body.ts";
import type { ByteSource } from "./byte_source.ts";
import { continues, parseContentRange } from "./content_range.ts";
import type { Exchange } from "./exchange.ts";
import { RegistryError, shownUrl } from "./registry_error.ts";
import { ATTEMPT_LIMIT, retryDecision } from "./retry_timing.ts";
import { LEAST_PROGRESS, StallWatch } from "./stall_watch.ts";
import { unreachable } from "./unreachable.ts";
import type { Expected } from "./verified_source.ts";

/** One place to get a blob from. */
export interface BlobPlace {
  /** Its URL there. */
  readonly url: URL;
  /** Proof for it; a foreign place gets none. */
  readonly session: AuthSession | undefined;
  /** The registry whose image names it, of a foreign place. */
  readonly namedBy?: URL;
  /** Only asked in another one's stead: what it cannot give at once, that one gives. */
  readonly isMirror?: boolean;
}

/** What {@linkcode BlobSource} needs beside the blob's name. */
export interface BlobOptions {
  /** Asked in this order; the next one continues where the one before gave up. */
  readonly places: readonly BlobPlace[];
  /** Asks the places. */
  readonly exchange: Exchange;
  /** Milliseconds without progress after which a connection counts as broken. */
  readonly idleTimeout: number;
  /** Told of a place that is left for the next one, and why. */
  readonly onLeft?: (place: BlobPlace, failure: unknown) => void;
  /** Ends the reading; its reason is what is rejected with. */
  readonly signal: AbortSignal;
}

/** Breaks of one blob at one place: 256 MiB with one every 4 MiB. Without it a byte a connection would go on for ever. */
const BREAK_LIMIT = 64;

interface Body {
  readonly url: URL;
  readonly reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly watch: StallWatch;
  /** Bytes we already have, sent again by a server that does not know ranges. */
  skip: number;
}

/** A blob that is taken up again where its connection broke (RFC 9110, section 14). Not verified. */
export class BlobSource implements ByteSource {
  readonly #expected: Expected;
  readonly #options: BlobOptions;
  readonly #world: World;
  #body: Body | undefined;
  #offset = 0;
  #place = 0;
  #failuresInRow = 0;
  /** Bytes since the last failure. */
  #gained = 0;
  #breaks = 0;
  /** False once a server has answered a range with something else; then all is sent again, and skipped. */
  #isRangeServer = true;
  #isClosed = false;

  /** Asks nobody yet. */
  constructor(expected: Expected, options: BlobOptions, world: World) {
    this.#expected = expected;
    this.#options = options;
    this.#world = world;
  }

  /** The next bytes; rejects when no place can give them. */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (!this.#isClosed) {
      try {
        this.#body ??= await this.#open();
        const bytes = await this.#readBody(this.#body);
        if (bytes?.length !== 0) return bytes;
      } catch (failure) {
        await this.#drop();
        this.#options.signal.throwIfAborted();
        await this.#recover(failure);
      }
    }
    return undefined;
  }

  /** Lets go of the connection. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#drop();
  }

  async #open(): Promise<Body> {
    const { exchange, places, signal, idleTimeout } = this.#options;
    const place = places[this.#place];
    if (place === undefined) {
      throw new RegistryError("not-found", `Cannot get '${this.#expected.digest}': no place has it`);
    }
    const { url } = place;
    const watch = new StallWatch(signal, { clock: this.#world.clock, idle: idleTimeout, what: url.host });
    try {
      const range = this.#offset > 0 && this.#isRangeServer ? { range: `bytes=${this.#offset}-` } : {};
      const response = await watch.wait(
        () => exchange.ask({ ...place, headers: range, signal: watch.signal }),
        () => 0,
      );
      const skip = await this.#checkedSkip(response, url);
      const body = response.body ?? new Blob([]).stream();
      return { url, reader: body.getReader(), watch, skip };
    } catch (error) {
      watch[Symbol.dispose]();
      if (!(watch.signal.reason instanceof DeadlineError)) throw error;
      throw unreachable(url, watch.signal.reason, `the server did not answer for ${idleTimeout} ms`);
    }
  }

  /** How many bytes of the body we have already; rejects when the body cannot be the wanted one. */
  async #checkedSkip(response: Response, url: URL): Promise<number> {
    const { size } = this.#expected;
    const refuse = async (found: string, retryable = false): Promise<never> => {
      await discard(response);
      throw new RegistryError("content-mismatch", `Cannot use '${shownUrl(url)}': ${found}`, { retryable });
    };
    if (response.status === 206) {
      const range = parseContentRange(response.headers.get("content-range"));
      if (this.#offset > 0 && continues(range, this.#offset, size)) return 0;
      this.#isRangeServer = false;
      return await refuse(`the server sent another part than bytes ${this.#offset} to ${size - 1}`, true);
    }
    const length = response.headers.get("content-length");
    if (length !== null && Number(length) !== size) {
      return await refuse(`the server announces ${length} bytes, wanted ${size}`);
    }
    return this.#offset;
  }

  async #readBody(body: Body): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { done, value } = await body.watch.wait(
      () => body.reader.read().catch((cause: unknown) => this.#broken(body, cause)),
      (result) => result.value?.length ?? 0,
    );
    if (done) {
      if (this.#offset < this.#expected.size) return this.#broken(body, new Error("unexpected end of file"));
      return undefined;
    }
    const known = Math.min(body.skip, value.length);
    body.skip -= known;
    const fresh = known === 0 ? value : value.subarray(known);
    this.#offset += fresh.length;
    this.#gained += fresh.length;
    return fresh;
  }

  #broken({ url, watch }: Body, cause: unknown): never {
    const isStall = watch.signal.reason instanceof DeadlineError;
    const found = isStall
      ? `the server stalled after ${this.#offset} of ${this.#expected.size} bytes`
      : `the server's connection broke after ${this.#offset} of ${this.#expected.size} bytes`;
    throw unreachable(url, isStall ? watch.signal.reason : cause, found);
  }

  /** Waits before the next try, moves on to the next place, or gives up. */
  async #recover(failure: unknown): Promise<void> {
    // all bytes are there: what breaks after them changes nothing, the digest decides
    if (this.#offset === this.#expected.size && this.#offset > 0) {
      this.#isClosed = true;
      return;
    }
    const { clock, log } = this.#world;
    // 416: what we have is not the start of what the server has
    const isRangeRefused = failure instanceof RegistryError && failure.status === 416 && this.#isRangeServer;
    if (isRangeRefused) this.#isRangeServer = false;
    // a break costs nothing, so one byte is progress; a stall costs the idle time
    const isStall = failure instanceof RegistryError && failure.cause instanceof DeadlineError;
    const isProgress = this.#gained >= (isStall ? LEAST_PROGRESS : 1);
    if (isProgress) this.#failuresInRow = 0;
    this.#gained = 0;
    this.#failuresInRow++;
    const isWorn = ++this.#breaks >= BREAK_LIMIT;
    const circumstances = { now: clock.now(), random: this.#world.random() };
    const place = this.#options.places[this.#place];
    const isUseless = place?.isMirror === true && !isProgress && !isRangeRefused;
    const decision = isWorn || isUseless
      ? "stop"
      : isRangeRefused
      ? { retryAfter: 0 }
      : retryDecision(this.#failuresInRow, failure, circumstances);
    const words = failure instanceof Error ? failure.message : "the connection failed";
    if (decision !== "stop") {
      log.info(`${words}, trying again (${this.#failuresInRow} of ${ATTEMPT_LIMIT - 1})`);
      return await clock.sleep(decision.retryAfter, this.#options.signal);
    }
    if (place === undefined || this.#place + 1 >= this.#options.places.length) throw failure;
    log.warn(`${words}, asking the next place`);
    this.#options.onLeft?.(place, failure);
    this.#place++;
    this.#isRangeServer = true;
    this.#failuresInRow = this.#breaks = 0;
  }

  async #drop(): Promise<void> {
    const body = this.#body;
    this.#body = undefined;
    body?.watch[Symbol.dispose]();
    // a broken connection may complain about being let go
    await body?.reader.cancel().catch(() => undefined);
  }
}
