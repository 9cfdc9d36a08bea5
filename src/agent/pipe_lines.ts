import { untilAborted } from "../until_aborted.ts";
import { OutputLines } from "./output_lines.ts";

/**
 * Reads a child's pipe to its end, line by line, so that the child never waits for us. An aborted `signal` ends it
 * earlier: a pipe may be held open by a grandchild for ever.
 *
 * Resolves with the error that broke the pipe, if one did.
 */
export async function readPipeLines(
  pipe: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<unknown> {
  const lines = new OutputLines();
  const reader = pipe.getReader();
  let failure: unknown;
  try {
    while (true) {
      const { value, done } = await untilAborted(reader.read(), signal);
      if (done) break;
      for (const line of lines.push(value)) onLine(line);
    }
  } catch (error) {
    if (!signal.aborted) failure = error;
    await reader.cancel().catch(() => undefined);
  }
  for (const line of lines.end()) onLine(line);
  return failure;
}
