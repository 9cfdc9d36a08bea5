import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes, fail } from "@std/assert";
import { AgentError } from "../../src/agent/agent_error.ts";
import { type AgentProcess, type AgentProcessOptions, startAgent } from "../../src/agent/agent_process.ts";
import type { AgentVerdict } from "../../src/agent/agent_transcript.ts";
import { denoWorld } from "../../src/deno_world.ts";
import type { Child, ChildCommand, Log, World } from "../../src/world.ts";
import { quietLog } from "../ota_agent/agent_run.ts";

const PROOF = "Verified device\nFirmware sent to IoT\n";

type Options = Partial<AgentProcessOptions> & { readonly world?: World };

function start(command: ChildCommand, options: Options = {}): AgentProcess {
  const { world = denoWorld(quietLog), ...rest } = options;
  return startAgent({ command, dialect: "classic" }, world, {
    signal: new AbortController().signal,
    port: freePort(),
    readyTimeout: 10_000,
    timeout: 20_000,
    phases: { dialIn: 10_000, attestation: 10_000, transferIdle: 10_000 },
    killGrace: 300,
    onEvent: () => undefined,
    ...rest,
  });
}

/** A shell script; what it prints is its business. */
function shell(script: string): ChildCommand {
  return { path: "/bin/sh", args: ["-c", script], env: { PATH: Deno.env.get("PATH") ?? "" } };
}

function listening(port: number, ...words: readonly string[]): ChildCommand {
  const program = new URL("listening_program.ts", import.meta.url).pathname;
  const env = Object.fromEntries(["PATH", "HOME", "DENO_DIR"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
  return { path: Deno.execPath(), args: ["run", "-A", "--no-prompt", program, `${port}`, ...words], env };
}

/** A wrapper script that does not hand its process over to the program: it waits for it. */
function wrapped({ path, args, env }: ChildCommand): ChildCommand {
  return { path: "/bin/sh", args: ["-c", '"$@"; exit $?', "wrapper", path, ...args], env };
}

/** Waits until nobody listens on the port: a process that was ended takes a moment to be gone. */
async function untilFree(port: number): Promise<void> {
  for (let looks = 0; looks < 250; looks++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return;
      // It is just being closed.
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Somebody still listens on port ${port}`);
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

const codeOf = (verdict: AgentVerdict): string => verdict.kind === "delivered" ? "delivered" : verdict.code;

/** A log that remembers its lines. */
function remembering(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const keep = (message: string): void => void lines.push(message);
  const log: Log = { debug: () => undefined, info: keep, warn: keep, error: keep, room: () => log };
  return { log, lines };
}

async function refusedBecause(agent: AgentProcess): Promise<AgentError> {
  return await assertRejects(() => agent.ready, AgentError);
}

Deno.test("startAgent: a program that is not there: cannot-start, and nothing runs", async () => {
  await using agent = start({ path: "/nowhere/ota-agent", args: [], env: {} });
  const error = await refusedBecause(agent);
  assertEquals(error.code, "cannot-start");
  assertStringIncludes(error.message, "'/nowhere/ota-agent'");
  assertEquals(codeOf(await agent.verdict), "died");
});

Deno.test("startAgent: an early exit is seen before a device is told, with the words of stderr", async () => {
  await using agent = start(shell("echo 'Failed to load server private key: -0x3E00' >&2; exit 255"));
  const error = await refusedBecause(agent);
  assertEquals(error.code, "exited-early");
  assertStringIncludes(
    error.message,
    "status 255; it said last: 'Failed to load server private key: -0x3E00'",
  );
  assertEquals(codeOf(await agent.verdict), "bad-key-pair");
});

Deno.test("startAgent: an early exit with 0 is not ready either", async () => {
  await using agent = start(shell("echo 'SERVER_KEY_PATH is not set - Please set the path' >&2"));
  assertEquals((await refusedBecause(agent)).code, "exited-early");
  assertEquals(codeOf(await agent.verdict), "misconfigured");
});

Deno.test("startAgent: somebody else's port: port-in-use, and nothing is started", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let started = 0;
  const world = denoWorld(quietLog);
  const spawn = (command: ChildCommand) => {
    started++;
    return world.spawn(command);
  };
  try {
    await using agent = start(shell("exit 0"), { port: listener.addr.port, world: { ...world, spawn } });
    assertEquals((await refusedBecause(agent)).code, "port-in-use");
    assertEquals(codeOf(await agent.verdict), "listen-failed");
    assertEquals(started, 0);
  } finally {
    listener.close();
  }
});

Deno.test("startAgent: where the system shows no table, a probe finds the port in use", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const world = denoWorld(quietLog);
  const files = { ...world.files, open: () => Promise.reject(new Error("no /proc")) };
  try {
    await using agent = start(shell("exit 0"), { port: listener.addr.port, world: { ...world, files } });
    assertEquals((await refusedBecause(agent)).code, "port-in-use");
    (await listener.accept()).close();
  } finally {
    listener.close();
  }
});

Deno.test("startAgent: a program that never listens: never-ready, and it is ended", async () => {
  await using agent = start(shell("exec sleep 60"), { readyTimeout: 200 });
  assertEquals((await refusedBecause(agent)).code, "never-ready");
  assertEquals(codeOf(await agent.verdict), "deadline");
});

Deno.test("startAgent: both proofs and status 0 deliver, also when the process was never seen to listen", async () => {
  await using agent = start(shell(`printf '${PROOF}'`));
  assertEquals((await refusedBecause(agent)).code, "exited-early");
  assertEquals(await agent.verdict, { kind: "delivered", receipt: false });
});

Deno.test("startAgent: a process that dies by a signal has failed, whatever it said", async () => {
  await using agent = start(shell(`printf '${PROOF}'; kill -SEGV $$`));
  const verdict = await agent.verdict;
  assertEquals(codeOf(verdict), "died");
  assert(verdict.kind === "failed");
  assertStringIncludes(verdict.message, "SIGSEGV");
});

Deno.test("startAgent: a wrapper's 0 over a dead agent proves nothing", async () => {
  await using agent = start(shell("sh -c 'echo Verified device; kill -KILL $$'; exit 0"));
  assertEquals(codeOf(await agent.verdict), "unproven");
});

Deno.test("startAgent: grandchildren that hold the pipes do not hold the verdict", async () => {
  const pidFile = await Deno.makeTempFile();
  try {
    await using agent = start(shell(`printf '${PROOF}'; sleep 60 & echo $! > ${pidFile}; exit 0`));
    assertEquals(codeOf(await agent.verdict), "delivered");
    // Throws where the grandchild is gone: then the verdict had waited for it.
    Deno.kill(Number(await Deno.readTextFile(pidFile)), "SIGKILL");
  } finally {
    await Deno.remove(pidFile);
  }
});

for (const words of [[], ["ignores SIGTERM"]]) {
  const agentKind = ["an agent", ...words].join(" that ");
  Deno.test(`startAgent: stop ends ${agentKind} behind a wrapper, and the port is free`, async () => {
    const port = freePort();
    const agent = start(wrapped(listening(port, ...words)), { port });
    await agent.ready;
    await agent.stop();
    assertEquals(codeOf(await agent.verdict), "stopped");
    await untilFree(port);
  });
}

Deno.test("startAgent: a process that may not be signalled, or does not end, holds nothing up", async () => {
  const world = denoWorld(quietLog);
  const empty = (): ReadableStream<Uint8Array> => new ReadableStream();
  for (const kill of [() => undefined, () => fail("Operation not permitted")]) {
    const child: Child = {
      pid: 77,
      stdout: empty(),
      stderr: empty(),
      status: new Promise(() => undefined),
      kill,
    };
    const agent = start(shell(""), { world: { ...world, spawn: () => child }, timeout: 100, killGrace: 50 });
    const verdict = await agent.verdict;
    assert(verdict.kind === "failed");
    assertEquals(verdict.code, "deadline");
    assertStringIncludes(
      verdict.message,
      "100 ms are over; the agent's process 77 does not end, end it by hand",
    );
    await refusedBecause(agent);
    await agent.stop();
  }
});

Deno.test("startAgent: an agent does not outlive its wrapper", async () => {
  const port = freePort();
  const world = denoWorld(quietLog);
  const wrappers: number[] = [];
  const spawn = (command: ChildCommand) => {
    const child = world.spawn(command);
    wrappers.push(child.pid);
    return child;
  };
  await using agent = start(wrapped(listening(port)), { port, world: { ...world, spawn } });
  await agent.ready;
  for (const pid of wrappers) Deno.kill(pid, "SIGKILL");
  assertEquals(codeOf(await agent.verdict), "died");
  await untilFree(port);
});

Deno.test({
  name: "startAgent: a program that may signal its own child alone stops that",
  permissions: { read: true, net: true, run: ["/bin/sleep"] },
  async fn() {
    await using agent = start({ path: "/bin/sleep", args: ["60"], env: {} }, { timeout: 200 });
    assertEquals(codeOf(await agent.verdict), "deadline");
  },
});

Deno.test("startAgent: stop ends a process that ignores SIGTERM", async () => {
  const agent = start(shell("trap '' TERM; echo up; while :; do sleep 0.05; done"));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await agent.stop();
  const verdict = await agent.verdict;
  assertEquals(codeOf(verdict), "stopped");
  assertEquals((await refusedBecause(agent)).code, "stopped");
});

Deno.test("startAgent: a fault of ours while it starts rejects `ready` too, and ends the agent", async () => {
  const fault = new Error("the runtime fails");
  const world = denoWorld(quietLog);
  const files = { ...world.files, open: () => Promise.reject(new Error("no /proc")) };
  const broken: Readonly<Record<string, World>> = {
    "status": {
      ...world,
      spawn: (command) => {
        const child = world.spawn(command);
        child.kill("SIGKILL");
        return { ...child, status: child.status.then(() => Promise.reject(fault)) };
      },
    },
    "clock": {
      ...world,
      files,
      // The probe for the port is the first that waits for so long.
      clock: {
        ...world.clock,
        sleep: (ms, signal) => ms === 25 ? Promise.reject(fault) : world.clock.sleep(ms, signal),
      },
    },
  };
  for (const [what, world] of Object.entries(broken)) {
    const agent = start(shell("exec sleep 60"), { world });
    assertEquals(await assertRejects(() => agent.ready, Error), fault, what);
    // Nothing is unhandled when nobody waits for the verdict.
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(await assertRejects(() => agent.stop(), Error), fault, what);
  }
});

Deno.test("startAgent: an aborted signal ends the process, also before it was started", async () => {
  const stop = new AbortController();
  await using running = start(shell("exec sleep 60"), { signal: stop.signal });
  await new Promise((resolve) => setTimeout(resolve, 50));
  stop.abort(new Error("enough"));
  assertEquals(codeOf(await running.verdict), "stopped");
  await using late = start(shell("exec sleep 60"), { signal: stop.signal });
  assertEquals((await refusedBecause(late)).code, "stopped");
  await late.verdict;
});

Deno.test("startAgent: the time of the whole agent is bounded", async () => {
  await using agent = start(shell("exec sleep 60"), { timeout: 200 });
  assertEquals(codeOf(await agent.verdict), "deadline");
});

Deno.test("startAgent: a flood of output fills neither memory nor log", async () => {
  const { log, lines } = remembering();
  await using agent = start(shell("yes Waiting | head -n 50000; head -c 3000000 /dev/zero"), {
    world: denoWorld(log),
  });
  assertEquals(codeOf(await agent.verdict), "unproven");
  assertLess(lines.length, 300);
  assertLess(lines.join().length, 100_000);
});

Deno.test("startAgent: the child has exactly the environment that was given", async () => {
  const { log, lines } = remembering();
  Deno.env.set("FLASHJOB_TEST_PASSWORD", "secret");
  try {
    const env = { NEW_FIRMWARE_PATH: "/f", TZ: "UTC" };
    await using agent = start({ path: "/usr/bin/env", args: [], env }, { world: denoWorld(log) });
    await agent.verdict;
    assertEquals(lines.sort(), ["NEW_FIRMWARE_PATH=/f", "TZ=UTC"]);
  } finally {
    Deno.env.delete("FLASHJOB_TEST_PASSWORD");
  }
});

Deno.test("startAgent: readiness is seen at the port, without a connection and without a line", async () => {
  const port = freePort();
  const { log, lines } = remembering();
  await using agent = start(listening(port), { port, world: denoWorld(log), killGrace: 5_000 });
  await agent.ready;
  await agent.stop();
  if (Deno.build.os === "linux") assertEquals(lines, ["Failed to accept connection: 0 seen"]);
});

Deno.test("startAgent: a silent agent is ended when nobody dials, and when nothing follows a connection", async () => {
  for (const connect of [false, true]) {
    const port = freePort();
    await using agent = start(listening(port), {
      port,
      deviceAddress: "127.0.0.1",
      phases: { dialIn: 600, attestation: 300, transferIdle: 300 },
    });
    await agent.ready;
    const connection = connect ? await Deno.connect({ hostname: "127.0.0.1", port }) : undefined;
    assertEquals(codeOf(await agent.verdict), connect ? "attestation-unavailable" : "never-dialled");
    connection?.close();
  }
});
