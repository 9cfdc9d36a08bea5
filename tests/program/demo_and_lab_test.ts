/**
 * The two commands that show the program to a newcomer, as the README has them typed.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { type Outcome, OUTCOMES } from "../../src/job/job_outcome.ts";
import { verdictOf } from "../lab/demo.ts";
import { processEnvironment } from "../lab/program.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The longest task here, the lab's flash, takes a real device's quarter of a minute. */
const HANG_MS = 60_000;

interface TaskRun {
  readonly code: number;
  /** Both streams, in the order in which they came within each. */
  readonly text: string;
}

/** A task that runs, with a directory for all its temporary files. */
interface RunningTask extends AsyncDisposable {
  /** Resolves with the text so far once it matches. */
  readonly wrote: (pattern: RegExp) => Promise<string>;
  /** Sends what ctrl-c sends. */
  readonly interrupt: () => void;
  /** Its end, at which no process of it holds our pipes any more and no temporary file is left. */
  readonly ended: () => Promise<TaskRun>;
}

/** `deno task ARGS` in the checkout, typed by somebody without variables of ours. */
async function startTask(args: readonly string[]): Promise<RunningTask> {
  const temporary = await Deno.makeTempDir({ prefix: "task-" });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", ...args],
    cwd: ROOT,
    env: { ...processEnvironment(), NO_COLOR: "1", TMPDIR: temporary },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  let heard = Promise.withResolvers<void>();
  const hear = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      text += part;
      heard.resolve();
      heard = Promise.withResolvers();
    }
  };
  // Told to stop, a hanging task still removes its lab.
  const guard = setTimeout(() => child.kill("SIGTERM"), HANG_MS);
  let isOver = false;
  const over = Promise.all([child.status, hear(child.stdout), hear(child.stderr)]).then(([status]) => {
    clearTimeout(guard);
    isOver = true;
    return status;
  });
  return {
    interrupt: () => child.kill("SIGINT"),
    wrote: async (pattern) => {
      while (!pattern.test(text)) {
        await Promise.race([heard.promise, over]);
        assert(!isOver || pattern.test(text), `ended without ${pattern}:\n${text}`);
      }
      return text;
    },
    ended: async () => {
      const { code } = await over;
      const left = await Array.fromAsync(Deno.readDir(temporary));
      assertEquals(left.map(({ name }) => name), [], "temporary files left behind");
      return { code, text };
    },
    [Symbol.asyncDispose]: async () => {
      if (!isOver) child.kill("SIGINT");
      await over;
      await Deno.remove(temporary, { recursive: true });
    },
  };
}

async function runTask(args: readonly string[]): Promise<TaskRun> {
  await using task = await startTask(args);
  return await task.ended();
}

Deno.test("deno task demo: updates the device and says so", async () => {
  const { code, text } = await runTask(["demo"]);
  assertEquals(code, 0, text);
  assertMatch(text, /^OK updated: Updated esp32s3 at .* from 1\.0\.0 to 1\.1\.0\./m);
  assertMatch(text, /^lab {6}flashjob ended with exit code 0 /m);
  const digests = [...text.matchAll(/^lab {6}sha256 of .*: +([0-9a-f]{64})$/gm)].map(([, digest]) => digest);
  assertEquals(digests.length, 2, text);
  assertEquals(digests[0], digests[1]);
});

Deno.test("deno task demo --fail attestation: shows the failure and its exit code, and ends well", async () => {
  const { code, text } = await runTask(["demo", "--fail", "attestation"]);
  assertEquals(code, 0, text);
  assertMatch(text, /^FAILED attestation-refused \(exit 24\): /m);
  assertMatch(text, /^lab {6}flashjob ended with exit code 24 /m);
  assertMatch(text, /^lab {6}sha256 of what the device runs: \(its old image\)$/m);
});

/** Every other failure that the demo shows, and the outcome that it is to have. */
const FAILURES: Readonly<Record<string, Outcome>> = {
  "attestation-down": "attestation-unavailable",
  "update-500": "update-refused",
  "insecure": "update-refused",
  "never-dials": "device-never-dialled",
  "wrong-pin": "tls-refused",
  "transfer": "transfer-broken",
  "rejected": "image-rejected",
  "rollback": "old-version",
  "never-returns": "device-lost",
  "downgrade": "downgrade-refused",
};

Deno.test("deno task demo --fail NAME: each ends as it is called", async () => {
  const waiting = Object.entries(FAILURES);
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [name, outcome] = next;
      const { code, text } = await runTask(["demo", "--fail", name]);
      assertEquals(code, 0, text);
      const { exit } = OUTCOMES[outcome];
      assertStringIncludes(text, `FAILED ${outcome} (exit ${exit}): `);
      assertStringIncludes(text, `flashjob ended with exit code ${exit} `);
      assertStringIncludes(text, "sha256 of what the device runs: (its old image)");
    }
  };
  await Promise.all([work(), work(), work()]);
});

Deno.test("deno task demo --help: lists every failure, and no other name is taken", async () => {
  const { code, text } = await runTask(["demo", "--help"]);
  assertEquals(code, 0, text);
  const listed = /^--fail .*: (.*)$/m.exec(text)?.[1]?.split(", ");
  assertEquals(listed, ["attestation", ...Object.keys(FAILURES)]);
  const unknown = await runTask(["demo", "--fail", "toString"]);
  assertEquals(unknown.code, 2, unknown.text);
  assertStringIncludes(unknown.text, "Cannot run the demo with '--fail toString'");
});

Deno.test("demo: a story that ends otherwise than promised is told, and fails", () => {
  assertEquals(verdictOf("updated", { code: 0, isUpdated: true }), { exit: 0 });
  assertEquals(verdictOf("tls-refused", { code: 23, isUpdated: false }), { exit: 0 });
  const table: [Parameters<typeof verdictOf>, number, string][] = [
    [["tls-refused", { code: 0, isUpdated: true }], 1, "exit code 23, tls-refused"],
    [["tls-refused", { code: 22, isUpdated: false }], 22, "exit code 23, tls-refused"],
    [["updated", { code: 20, isUpdated: false }], 20, "exit code 0, updated"],
    [["updated", { code: 0, isUpdated: false }], 70, "THE EXIT CODE LIES"],
    [["tls-refused", { code: 23, isUpdated: true }], 70, "THE EXIT CODE LIES"],
  ];
  for (const [given, exit, complaint] of table) {
    const verdict = verdictOf(...given);
    assertEquals(verdict.exit, exit);
    assertStringIncludes(verdict.complaint ?? "", complaint);
  }
});

Deno.test("deno task demo: ctrl-c ends the job first, then the lab with the server's key", async () => {
  await using task = await startTask(["demo", "--fail", "never-dials"]);
  await task.wrote(/request: POST \/update/);
  task.interrupt();
  const { code, text } = await task.ended();
  assertEquals(code, OUTCOMES.interrupted.exit, text);
  assertMatch(text, /^FAILED interrupted \(exit 130\): /m);
});

Deno.test("deno task lab: the command that it prints updates its device, and ctrl-c leaves nothing", async () => {
  await using lab = await startTask(["lab"]);
  const printed = /^ {2}deno task (flash (?:.*\\\n)*.*)\n/m.exec(await lab.wrote(/--registry-config .*\n/))
    ?.[1];
  const { code, text } = await runTask((printed ?? "").split(/[\s\\]+/));
  assertEquals(code, 0, text);
  assertMatch(text, /^OK updated: /m);
  assertMatch(await lab.wrote(/restarted/), /^device {3}restarted: 1\.1\.0 at /m);
  lab.interrupt();
  const ended = await lab.ended();
  assertEquals(ended.code, 0, ended.text);
});
