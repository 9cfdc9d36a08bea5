import * as v from "valibot";
import { within } from "../deadline.ts";
import type { Child, World } from "../world.ts";
import { type Credential, passwordCredential } from "./credential.ts";

/** A helper may ask a cloud's API; one that hangs must not hang the job. */
const DEADLINE = 20_000;
/** A user name and a token; tokens stay under the 16 KiB that headers may hold. */
const OUTPUT_LIMIT = 64 * 1024;

/** Programs are looked up by this name only, never by a path from a file. */
const HELPER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * What helpers need of our environment: to find themselves, their files, their cloud. Nothing else is handed on,
 * above all no password given to us by variable.
 */
const NEEDED =
  /^(?:PATH|HOME|USER|LANG|TMPDIR|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|GNUPGHOME|PASSWORD_STORE_DIR|(?:HTTPS?|ALL|NO)_PROXY|SSL_CERT_(?:FILE|DIR)|AWS_\w+|GOOGLE_\w+|CLOUDSDK_\w+|AZURE_\w+)$/i;

const AnswerSchema = v.object({ Username: v.string(), Secret: v.string() });

/** Which helper to ask, and for what. */
export interface HelperQuestion {
  /** `ecr-login` for the program `docker-credential-ecr-login`. */
  readonly helper: string;
  /** The registry as helpers know it. */
  readonly server: string;
  /** Our environment, of which the helper gets a part. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/**
 * Asks a docker credential helper (`docker-credential-<helper> get`, the server on its standard input).
 *
 * A missing, failing, hanging or babbling helper warns and gives `undefined`, for public images need none.
 */
export async function askHelper(question: HelperQuestion, world: World): Promise<Credential | undefined> {
  const { helper, server, signal } = question;
  const ignore = (found: string): undefined => {
    world.log.warn(`Cannot use credential helper '${helper}' for '${server}': ${found}, going on without it`);
  };
  if (!HELPER_NAME.test(helper)) return ignore("its name is not that of a program");
  let child: Child;
  try {
    child = world.spawn({
      path: `docker-credential-${helper}`,
      args: ["get"],
      env: neededEnvironment(question.environment),
      input: new TextEncoder().encode(server),
    });
  } catch (error) {
    return ignore(
      error instanceof Error && error.name === "NotFound" ? "it is not installed" : "it cannot be started",
    );
  }
  try {
    const answer = await within(
      { clock: world.clock, milliseconds: DEADLINE, signal, what: `credential helper '${helper}'` },
      (inner) => answerOf(child, inner),
    );
    if (answer.code !== 0) {
      return /credentials not found/i.test(answer.stdout)
        ? undefined
        : ignore(`it ended with status ${answer.code}`);
    }
    const parsed = v.safeParse(AnswerSchema, JSON.parse(answer.stdout));
    if (!parsed.success) return ignore("its answer lacks 'Username' or 'Secret'");
    if (parsed.output.Secret === "") return undefined;
    return passwordCredential(parsed.output.Username, parsed.output.Secret);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // a SyntaxError of JSON.parse quotes what may be a secret
    return ignore(
      error instanceof Error && error.name !== "SyntaxError" ? error.message : "its answer is not JSON",
    );
  }
}

function neededEnvironment(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] =>
      entry[1] !== undefined && NEEDED.test(entry[0])
    ),
  );
}

/**
 * The child has ended on every way out. Its pipes are read to their end, or let go of when the wait is over: a program
 * that it has started itself may hold them open for ever.
 */
async function answerOf(child: Child, signal: AbortSignal): Promise<{ code: number; stdout: string }> {
  const readers = [child.stdout.getReader(), child.stderr.getReader()] as const;
  const stop = (): void => {
    child.kill("SIGKILL");
    // what breaks while it is being let go of is let go of
    for (const reader of readers) reader.cancel().catch(() => undefined);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    const [stdout, , status] = await Promise.all([
      readBounded(readers[0], stop),
      readBounded(readers[1], stop),
      child.status,
    ]);
    signal.throwIfAborted();
    if (stdout === undefined) throw new Error(`it printed more than ${OUTPUT_LIMIT} bytes`);
    return { code: status.code, stdout };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function readBounded(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  stop: () => void,
): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    length += value.length;
    if (length > OUTPUT_LIMIT) {
      stop();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}
