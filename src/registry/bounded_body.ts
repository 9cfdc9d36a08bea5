import { ERROR_BODY_LIMIT, type FailedAnswer } from "./failed_answer.ts";
import { RegistryError, shownUrl } from "./registry_error.ts";
import { unreachable } from "./unreachable.ts";

/** What bounds {@linkcode readBody}. */
export interface BodyBounds {
  /** Bytes. */
  readonly limit: number;
  /** Whose answer it is, for errors. */
  readonly url: URL;
  /** The one the request was sent with. */
  readonly signal: AbortSignal;
}

/**
 * Reads a whole body into memory, which must not hold more than `limit` bytes. What the server says about the
 * length is not believed, for no memory is taken in advance.
 *
 * Rejects with `limit`, with `unreachable` when the body breaks off, or with the signal's reason.
 */
export async function readBody(
  response: Response,
  { limit, url, signal }: BodyBounds,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response.body ?? []) {
      length += chunk.length;
      if (length > limit) {
        throw new RegistryError("limit", `Cannot read '${shownUrl(url)}': it holds more than ${limit} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (failure) {
    signal.throwIfAborted();
    throw failure instanceof RegistryError ? failure : unreachable(url, failure);
  }
  const whole = new Uint8Array(length);
  let position = 0;
  for (const chunk of chunks) {
    whole.set(chunk, position);
    position += chunk.length;
  }
  return whole;
}

/** Reads an answer that is a failure. Its status says enough: of an endless or broken page about it nothing is kept. */
export async function readFailure(
  response: Response,
  { url, signal }: Omit<BodyBounds, "limit">,
): Promise<FailedAnswer> {
  const { status, headers } = response;
  try {
    const bytes = await readBody(response, { limit: ERROR_BODY_LIMIT, url, signal });
    return { url, status, headers, body: new TextDecoder().decode(bytes) };
  } catch {
    signal.throwIfAborted();
    await discard(response);
    return { url, status, headers, body: "" };
  }
}

/** Lets go of an answer whose body nobody needs. */
export async function discard(response: Response): Promise<void> {
  // a connection that breaks while it is being closed is closed
  await response.body?.cancel().catch(() => undefined);
}
